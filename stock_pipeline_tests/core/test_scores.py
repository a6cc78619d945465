import math
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, pearsonr, spearmanr
from scipy.stats import t as student

from stock_pipeline.core.columns import FORWARD_RETURN, SCORE, SESSION, TARGET
from stock_pipeline.core.scores import (
    daily_metrics,
    ic_by_session,
    interval_by_session,
    interval_of_dependent,
    is_plausible,
    rank_ic_by_session,
    tells_stocks_apart,
    told_apart_by_session,
)

DAYS = [date(2021, 3, 1) + timedelta(days=i) for i in range(40)]


def scored(sessions: int = 12, stocks: int = 9, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    count = sessions * stocks
    score = np.round(rng.normal(size=count), 1)
    return pl.DataFrame(
        {
            SESSION: [day for day in DAYS[:sessions] for _ in range(stocks)],
            SCORE: score,
            FORWARD_RETURN: 0.01 * (0.3 * score + rng.normal(size=count)),
            TARGET: rng.random(count) - 0.5,
        }
    )


def test_the_correlations_of_each_session_are_scipys() -> None:
    frame = scored()
    for found, name, reference in (
        (rank_ic_by_session(frame), "rank_ic", spearmanr),
        (ic_by_session(frame), "ic", pearsonr),
    ):
        expected = [reference(day[SCORE], day[FORWARD_RETURN]).statistic for day in frame.partition_by(SESSION)]
        np.testing.assert_allclose(found[name].to_list(), expected, atol=1e-12)
        assert found["stocks"].to_list() == [9] * 12


def test_sessions_too_small_or_constant_have_no_ic() -> None:
    good = scored(sessions=2, stocks=5)
    small = scored(sessions=3, stocks=2).filter(pl.col(SESSION) == DAYS[2])
    flat_score = scored(sessions=4).filter(pl.col(SESSION) == DAYS[3]).with_columns(pl.lit(0.1).alias(SCORE))
    flat_outcome = scored(sessions=5).filter(pl.col(SESSION) == DAYS[4]).with_columns(pl.lit(0.0).alias(FORWARD_RETURN))
    unknown = scored(sessions=6).filter(pl.col(SESSION) == DAYS[5]).with_columns(pl.lit(None, pl.Float64).alias(FORWARD_RETURN))
    frame = pl.concat([good, small, flat_score, flat_outcome, unknown])
    daily = rank_ic_by_session(frame)["rank_ic"]
    assert [value is None for value in daily] == [False, False, True, True, True]
    assert ic_by_session(frame)["ic"].is_null().to_list() == daily.is_null().to_list()
    assert rank_ic_by_session(scored(sessions=2, stocks=3))["rank_ic"].null_count() == 0


def test_a_constant_that_rounding_blurs_still_has_no_ic() -> None:
    # The mean of these 59 equal numbers is off by one unit in the last place, which passes for a variance.
    constant = pl.lit(-0.35268610916455645).alias(SCORE)
    frame = scored(sessions=1, stocks=59).with_columns(constant)
    assert ic_by_session(frame)["ic"].to_list() == [None]
    assert rank_ic_by_session(frame)["rank_ic"].to_list() == [None]


@pytest.mark.parametrize("broken", [SCORE, FORWARD_RETURN])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_session_with_a_value_that_is_no_number_has_no_ic(value: float, broken: str) -> None:
    rows = scored(sessions=2).with_row_index()
    frame = rows.with_columns(pl.when(pl.col("index") == 3).then(value).otherwise(broken).alias(broken))
    for by_session, name in ((rank_ic_by_session, "rank_ic"), (ic_by_session, "ic")):
        whole = by_session(rows)[name].to_list()
        assert by_session(frame)[name].to_list() == [None, whole[1]] and whole[0] is not None


@pytest.mark.parametrize(("constant", "column"), [(0.3, SCORE), (-7e5, SCORE), (0.02, FORWARD_RETURN), (0.0, FORWARD_RETURN)])
def test_values_that_are_equal_up_to_rounding_have_no_ic(constant: float, column: str) -> None:
    rows = scored(sessions=2)
    other = SCORE if column == FORWARD_RETURN else FORWARD_RETURN
    # Errors of the last digits that follow the other column: ranked, they would pass for perfect foresight.
    blur = 1e-15 * max(abs(constant), 1e-2) * pl.col(other).rank().over(SESSION)
    frame = rows.with_columns((constant + blur).alias(column))
    assert frame.group_by(SESSION).agg(pl.col(column).n_unique() > 1)[column].all()
    assert rank_ic_by_session(frame)["rank_ic"].to_list() == ic_by_session(frame)["ic"].to_list() == [None, None]
    # Differences ten million times as large are told apart, however small they are beside the values.
    told = rows.with_columns((constant + 1e7 * blur).alias(column))
    assert rank_ic_by_session(told)["rank_ic"].to_list() == pytest.approx([1.0, 1.0])


def test_the_measures_of_a_session() -> None:
    rows = scored().with_row_index().with_columns(pl.when(pl.col("index") != 3).then(SCORE).alias(SCORE))
    found = daily_metrics(rows)
    assert found[SESSION].to_list() == DAYS[:12]
    first = rows.filter(pl.col(SESSION) == DAYS[0]).drop_nulls(SCORE)
    score, target = first[SCORE].to_numpy(), first[TARGET].to_numpy()
    errors = (abs(score - target).mean(), abs(target).mean(), ((score - target) ** 2).mean(), (target**2).mean(), (score**2).mean())
    assert found.columns[1:] == ["predictions", "mae", "baseline_mae", "mse", "baseline_mse", "score_square", "rank_ic", "target_ic"]
    assert found.row(0)[1:] == pytest.approx(
        (8, *errors, *(spearmanr(score, first[outcome]).statistic for outcome in (FORWARD_RETURN, TARGET)))
    )
    assert daily_metrics(rows, TARGET)["rank_ic"][0] == pytest.approx(spearmanr(score, target).statistic)


@given(st.integers(1, 7), st.data())
def test_the_interval_of_few_sessions_or_of_equal_ones_is_wilsons(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    for hits in (np.arange(trials) < successes, np.full(8 + trials, fill_value=True)):
        low, high = interval_of_dependent(hits)
        expected = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
        np.testing.assert_allclose([low, high], [expected.low, expected.high], atol=1e-12)
        assert 0 <= low <= hits.mean() <= high <= 1


@pytest.mark.parametrize(("sessions", "overlap"), [(250, 1), (250, 5), (500, 20)])
def test_the_interval_of_dependent_sessions_holds_the_true_share_as_often_as_it_says(sessions: int, overlap: int) -> None:
    """Outcomes over several sessions share all but one of them with their neighbour's."""
    rng = np.random.default_rng(5)
    moves = rng.normal(size=(800, sessions + overlap - 1))
    hits = np.apply_along_axis(np.convolve, 1, moves, np.ones(overlap), mode="valid") > 0
    covered = np.mean([low <= 0.5 <= high for low, high in (interval_of_dependent(row) for row in hits)])
    assert 0.92 <= covered <= 0.98
    independent = [binomtest(int(row.sum()), sessions).proportion_ci(method="wilson") for row in hits]
    assert np.mean([bounds.low <= 0.5 <= bounds.high for bounds in independent]) < 0.8 or overlap == 1


def told(sessions: int, share: float, correlation: float, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Wins and trades of some sessions; a factor that all trades of a session share explains so much of the variance of their gains."""
    trades = rng.integers(5, 50, sessions)
    factor = norm.ppf(share) + np.sqrt(correlation) * rng.normal(size=sessions)
    return rng.binomial(trades, norm.cdf(factor / np.sqrt(1 - correlation))), trades


@pytest.mark.parametrize(("sessions", "share", "correlation"), [(20, 0.5, 0.3), (60, 0.4, 0.3), (60, 0.55, 0.0), (250, 0.5, 0.6)])
def test_the_interval_by_session_holds_the_true_share_as_often_as_it_says(sessions: int, share: float, correlation: float) -> None:
    rng = np.random.default_rng(3)
    drawn = [told(sessions, share, correlation, rng) for _ in range(1200)]
    covered = np.mean([low <= share <= high for low, high in (interval_by_session(*counts) for counts in drawn)])
    assert 0.92 <= covered <= 0.98
    independent = [binomtest(int(wins.sum()), int(trades.sum())).proportion_ci(method="wilson") for wins, trades in drawn]
    assert np.mean([bounds.low <= share <= bounds.high for bounds in independent]) < 0.6 or correlation == 0


def test_the_bounds_of_the_interval_by_session_are_as_many_errors_away_as_student_says() -> None:
    for wins, trades in (((9, 1, 0, 4), (10, 8, 0, 6)), ((1, 0, 2), (2, 2, 2)), ((3, 3, 4, 2, 5), (7, 6, 7, 6, 8))):
        low, high = interval_by_session(np.array(wins), np.array(trades))
        counted = [(won, tried) for won, tried in zip(wins, trades, strict=True) if tried]
        count, total = len(counted), sum(trades)
        share = sum(wins) / total
        variance = count / (count - 1) * sum((won - share * tried) ** 2 for won, tried in counted) / total**2
        independent = max(share * (1 - share) / total, variance)  # no surer than if all trades were independent
        quantile = student.ppf(0.975, count - 1)
        for bound in (low, high):
            error = (independent * bound * (1 - bound) / (share * (1 - share))) ** 0.5
            assert abs(share - bound) == pytest.approx(quantile * error)


def test_sessions_that_say_nothing_of_how_they_differ_leave_the_share_open() -> None:
    one = interval_by_session(np.array([7, 0]), np.array([10, 0]))
    assert one == (0.0, 1.0)
    all_won, none_won = (interval_by_session(np.full(30, won), np.full(30, 5)) for won in (5, 0))
    quantile = student.ppf(0.975, 29)
    assert all_won == pytest.approx((30 / (30 + quantile**2), 1.0))  # thirty trials, all of which succeeded
    assert none_won == pytest.approx((0.0, 1 - all_won[0]))
    alike = interval_by_session(np.full(30, 2), np.full(30, 4))
    half = quantile / 2 / (120 + quantile**2) ** 0.5  # of 120 trials, half of which succeeded
    assert alike == pytest.approx((0.5 - half, 0.5 + half))


@pytest.mark.parametrize(
    ("rank_ic", "t_value", "plausible"),
    [
        (0.03, 8.0, True),
        (0.1, 50.0, True),  # the limit itself is none above it
        (0.11, 50.0, False),
        (0.11, 3.1, False),
        (0.3, 3.0, True),  # so few sessions can be luck
        (0.3, 1.2, True),
        (-0.3, -20.0, True),  # no one profits from it
        (None, None, True),
        (0.3, None, True),
    ],
)
def test_only_what_is_too_good_by_no_luck_is_implausible(rank_ic: float | None, t_value: float | None, plausible: bool) -> None:
    assert is_plausible({"rank_ic": rank_ic, "rank_ic_t": t_value, "mae": 0.2}, 0.1) is plausible


def test_the_limit_is_the_one_given_and_measures_may_be_missing() -> None:
    assert is_plausible({"rank_ic": 0.15, "rank_ic_t": 9.0}, 0.2)
    assert not is_plausible({"rank_ic": 0.15, "rank_ic_t": 9.0}, 0.12)
    assert is_plausible({}, 0.1)


def test_a_session_is_told_apart_where_its_scores_differ_and_one_stock_alone_is_none() -> None:
    days = [DAYS[2]] * 2 + [DAYS[0]] * 3 + [DAYS[1]] * 2
    frame = pl.DataFrame({SESSION: days, SCORE: [0.1, 0.2, 0.5, 0.5, None, 0.7, None]})
    assert told_apart_by_session(frame).rows() == [(DAYS[0], False), (DAYS[2], True)]


@pytest.mark.parametrize(("share", "apart"), [(1.0, True), (0.95, True), (0.949, False), (0.0, False), (None, True)])
def test_nearly_every_session_is_to_be_told_apart(share: float | None, apart: bool) -> None:
    assert tells_stocks_apart({"told_apart_share": share, "mae": 0.2}) is apart
    assert tells_stocks_apart({})
