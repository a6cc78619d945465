from math import sqrt
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from stock_pipeline.core.columns import FORWARD_RETURN, RANK_IC, SCORE, SESSION, SYMBOL, TARGET, TARGET_IC
from stock_pipeline.core.scores import daily_metrics, rank_ic_by_session
from stock_pipeline.datasets.catalogue import JudgedBy
from stock_pipeline.registry.comparison import compare, interval, lower_mean, on_common_rows
from stock_pipeline_tests.factories.panels import sessions

DAYS = sessions(30)


def scored(seed: int, skill: float, days: int = 30, stocks: int = 12) -> pl.DataFrame:
    rng = np.random.default_rng(99)
    target = rng.normal(size=(30, stocks))[:days]
    score = skill * target + np.random.default_rng(seed).normal(size=(30, stocks))[:days]
    names = [f"S{place}" for place in range(stocks)]
    return pl.DataFrame(
        {
            SESSION: [day for day in DAYS[:days] for _ in names],
            SYMBOL: names * days,
            SCORE: score.ravel(),
            TARGET: target.ravel(),
            FORWARD_RETURN: target.ravel() / 100,
        }
    )


def test_versions_are_compared_on_what_both_scored() -> None:
    candidate, champion = scored(1, 1.0).filter(pl.col(SYMBOL) != "S1"), scored(2, 0.2, days=20)
    own, other = on_common_rows(candidate, champion)
    assert own.height == other.height == 20 * 11
    compared = compare(daily_metrics(own), daily_metrics(other))
    assert compared is not None
    assert (compared.sessions, compared.predictions) == (20, 220)
    common = scored(1, 1.0).filter((pl.col(SYMBOL) != "S1") & pl.col(SESSION).is_in(DAYS[:20])).sort(SESSION, SYMBOL)
    assert compared.mae == pytest.approx((common[SCORE] - common[TARGET]).abs().mean())
    assert compared.baseline_mae == pytest.approx(common[TARGET].abs().mean())
    rank_ics = [rank_ic_by_session(rows)[RANK_IC] for rows in (own, other)]
    assert [compared.rank_ic, compared.champion_rank_ic] == pytest.approx([daily.mean() for daily in rank_ics])
    tested = lower_mean((rank_ics[0] - rank_ics[1]).to_numpy())
    assert tested is not None and (compared.t_statistic, compared.p_value) == (tested.t_statistic, tested.p_value)
    assert compared.champion_mae == pytest.approx((other[SCORE] - common[TARGET]).abs().mean())
    assert compared.t_statistic is not None and compared.t_statistic > 0
    assert compared.p_value is not None and compared.p_value > 0.9


def test_sessions_weigh_by_their_stocks() -> None:
    rows = scored(1, 0.5).filter((pl.col(SESSION) > DAYS[4]) | (pl.col(SYMBOL) == "S2"))
    compared = compare(daily_metrics(rows), daily_metrics(rows))
    assert compared is not None
    assert compared.mae == compared.champion_mae == pytest.approx((rows[SCORE] - rows[TARGET]).abs().mean())


def test_the_figures_of_a_comparison_are_those_of_the_rows() -> None:
    """Skills, their correlation and the slope of the calibration, from rows instead of daily figures."""
    own, other = on_common_rows(scored(1, 1.0), scored(2, 0.2))
    by_rank, by_loss = (compare(daily_metrics(own), daily_metrics(other), judged_by) for judged_by in get_args(JudgedBy))
    assert by_rank is not None and by_loss is not None
    score, rival, target = (rows.to_numpy().reshape(30, 12) for rows in (own[SCORE], other[SCORE], own[TARGET]))
    ics = [[spearmanr(*day).statistic for day in zip(made, target, strict=True)] for made in (score, rival)]
    gains = [(target**2 - (made - target) ** 2).mean(axis=1) for made in (score, rival)]
    for found, skills in ((by_rank, ics), (by_loss, gains)):
        assert found.correlation == pytest.approx(np.corrcoef(ics)[0, 1])
        for p_value, skill in ((found.skill_p_value, skills[0]), (found.champion_skill_p_value, skills[1])):
            mirrored = lower_mean(-np.array(skill))
            assert mirrored is not None and p_value == pytest.approx(mirrored.p_value)
    assert by_loss.mse == pytest.approx(((score - target) ** 2).mean()) and by_loss.baseline_mse == pytest.approx((target**2).mean())
    slope, least_squares = by_rank.calibration_slope, np.linalg.lstsq(score.reshape(-1, 1), target.reshape(-1), rcond=None)[0][0]
    assert slope == pytest.approx(least_squares) and by_rank.champion_calibration_slope == pytest.approx(
        (rival * target).sum() / (rival**2).sum()
    )
    # A session is one draw: the usual error of a slope with clusters, here as the EWC test takes sessions for dependent.
    clustered = sqrt((((score * target).sum(axis=1) - least_squares * (score**2).sum(axis=1)) ** 2).sum()) / (score**2).sum()
    assert by_rank.calibration_slope_error == pytest.approx(clustered, rel=0.6)


def test_versions_that_say_the_same_are_equal_and_a_lasting_difference_is_no_chance() -> None:
    daily = daily_metrics(scored(1, 1.0))
    same = compare(daily, daily)
    assert same is not None and (same.correlation, same.t_statistic, same.p_value) == (1.0, None, 0.5)
    for shift, p_value in ((-0.01, 0.0), (0.01, 1.0)):
        shifted, flat = (daily.with_columns(pl.lit(level).alias(name) for name in (RANK_IC, TARGET_IC)) for level in (0.02 + shift, 0.02))
        found = compare(shifted, flat)
        assert found is not None and (found.p_value, found.correlation) == (p_value, None)
    few = compare(daily.head(7), daily)
    assert few is not None and (few.p_value, few.skill_p_value, few.correlation) == (None, None, None)


def test_sessions_without_a_rank_ic_do_not_count_and_older_results_have_no_loss() -> None:
    daily = daily_metrics(scored(1, 1.0))
    blank = daily.with_columns(pl.when(pl.int_range(pl.len()) > 5).then(name).alias(name) for name in (RANK_IC, TARGET_IC))
    found, expected = compare(blank, daily_metrics(scored(2, 0.2))), compare(daily[6:], daily_metrics(scored(2, 0.2)))
    assert found is not None and expected is not None and (found.sessions, expected.sessions) == (30, 24)
    assert (found.p_value, found.correlation, found.skill_p_value) == (expected.p_value, expected.correlation, expected.skill_p_value)
    older = daily.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("mse", "baseline_mse", "score_square"))
    unknown = compare(older, older, "loss")
    assert unknown is not None and (unknown.mse, unknown.calibration_slope, unknown.skill_p_value, unknown.p_value) == (None,) * 4


def test_common_bets_on_an_exposure_are_no_common_knowledge() -> None:
    """Both bet on the same exposure, which pays on some sessions and costs on others; the target is freed of it."""
    rng = np.random.default_rng(4)
    exposure, target, pays = rng.normal(size=12), rng.normal(size=(30, 12)), rng.normal(size=(30, 1))
    target -= (target @ exposure)[:, None] * exposure / (exposure @ exposure)
    made = scored(1, 0.0).with_columns(
        pl.Series(TARGET, target.ravel()), pl.Series(FORWARD_RETURN, (target / 10 + 3 * pays * exposure).ravel())
    )
    bets = [made.with_columns(pl.Series(SCORE, (exposure + rng.normal(size=(30, 12))).ravel())) for _ in range(2)]
    own, other = (daily_metrics(rows) for rows in bets)
    found = compare(own, other)
    assert found is not None and found.correlation is not None
    assert np.corrcoef(own[RANK_IC], other[RANK_IC])[0, 1] > 0.8
    assert found.correlation == pytest.approx(np.corrcoef(own[TARGET_IC], other[TARGET_IC])[0, 1]) and found.correlation < 0.5


def test_an_interval_is_the_students() -> None:
    low, high = interval(0.5, 0.1, 250, 0.05)
    assert (low, high) == pytest.approx((0.5 - 0.1 * 1.745884, 0.5 + 0.1 * 1.745884))  # 16 cosines


def test_nothing_in_common_cannot_be_compared() -> None:
    measures = daily_metrics(scored(1, 1.0))
    assert compare(measures.head(10), measures.tail(10)) is None
    assert compare(measures.clear(), measures) is None


def test_the_test_statistic_is_the_published_one() -> None:
    """Lazarus, Lewis, Stock and Watson (2018), equations 5 and 9, written out."""
    series = np.random.default_rng(3).normal(0.1, 1, 100)
    waves = int(np.ceil(0.4 * 100 ** (2 / 3)))
    projections = [
        sum(np.sqrt(2 / 100) * np.cos(np.pi * j * (t - 0.5) / 100) * series[t - 1] for t in range(1, 101)) for j in range(1, waves + 1)
    ]
    expected = np.sqrt(100) * series.mean() / np.sqrt(np.mean(np.square(projections)))
    found = lower_mean(series)
    assert found is not None
    assert found.t_statistic == pytest.approx(expected)


@pytest.mark.parametrize(
    ("count", "critical"),
    # Sessions, and the 5 % point of Student's t with ceil(0.4 * sessions ** (2/3)) degrees of freedom, from a printed table.
    [(8, 2.919986), (27, 2.131847), (100, 1.833113), (125, 1.812461), (250, 1.745884), (1000, 1.683851)],
)
def test_the_p_value_is_that_of_student_with_as_many_degrees_as_cosines(count: int, critical: float) -> None:
    swings = np.random.default_rng(count).normal(size=count)
    unmoved = lower_mean(swings)
    assert unmoved is not None
    # The cosines do not see the mean, so t moves with it and by nothing else.
    spread = np.sqrt(count) * swings.mean() / unmoved.t_statistic
    for t_statistic, p_value in ((-critical, 0.05), (critical, 0.95), (0.0, 0.5)):
        found = lower_mean(swings - swings.mean() + t_statistic * spread / np.sqrt(count))
        assert found is not None
        assert found.t_statistic == pytest.approx(t_statistic, abs=1e-9)
        assert found.p_value == pytest.approx(p_value, abs=1e-6)


def test_the_order_of_rows_is_of_no_account() -> None:
    candidate, champion = scored(1, 0.4), scored(2, 0.5)
    plain = [daily_metrics(rows) for rows in on_common_rows(candidate, champion)]
    shuffled = on_common_rows(*(rows.sample(fraction=1, shuffle=True, seed=5) for rows in (candidate, champion)))
    for mine, other in zip(shuffled, on_common_rows(candidate, champion), strict=True):
        assert mine.equals(other)
    compared = compare(plain[0], plain[1])
    assert compared is not None and compared.t_statistic is not None
    assert compare(plain[0].sample(fraction=1, shuffle=True, seed=6), plain[1].reverse()) == compared


def test_a_session_without_a_rank_ic_counts_for_the_errors_alone() -> None:
    candidate, champion = (
        daily_metrics(rows.with_columns(pl.when(pl.col(SESSION) == DAYS[7]).then(lost).otherwise(SCORE).alias(SCORE)))
        for rows, lost in ((scored(1, 0.4), 0.25), (scored(2, 0.5), pl.col(SCORE)))
    )
    compared = compare(candidate, champion)
    assert compared is not None and compared.sessions == 30
    others = pl.col(SESSION) != DAYS[7]
    without = compare(candidate.filter(others), champion.filter(others))
    assert without is not None
    assert (compared.t_statistic, compared.p_value) == (without.t_statistic, without.p_value)
    assert compared.rank_ic == pytest.approx(without.rank_ic)
    assert compared.mae == pytest.approx(candidate["mae"].mean())


def test_dependent_days_are_not_taken_for_evidence() -> None:
    """Of slow swings about zero a plain t test rejects far more than the 5 % that it promises; this one stays near."""
    rng = np.random.default_rng(11)
    rejected = plain = 0
    for _ in range(400):
        steps, series = rng.normal(size=250), np.zeros(250)
        for day in range(1, 250):
            series[day] = 0.6 * series[day - 1] + steps[day]
        found = lower_mean(series)
        assert found is not None
        rejected += found.p_value < 0.05
        plain += series.mean() / series.std() * np.sqrt(250) < -1.65
    assert plain / 400 > 0.15
    assert rejected / 400 < 0.09


def test_a_lower_mean_is_found() -> None:
    found = lower_mean(np.random.default_rng(2).normal(-0.5, 1, 60))
    assert found is not None and found.p_value < 0.05


@given(st.integers(0, 40), st.floats(-1, 1))
def test_where_nothing_varies_or_there_is_too_little_nothing_is_said(count: int, value: float) -> None:
    assert lower_mean(np.full(count, value)) is None
    assert lower_mean(np.arange(7.0)) is None
    assert lower_mean(np.arange(8.0)) is not None
    assert lower_mean(np.full(60, 0.1e9)) is None  # whose projections are not 0, but rounding
