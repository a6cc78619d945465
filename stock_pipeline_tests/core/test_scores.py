from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, pearsonr, spearmanr

from stock_pipeline.core.columns import FORWARD_RETURN, SCORE, SESSION, TARGET
from stock_pipeline.core.scores import daily_metrics, ic_by_session, is_plausible, rank_ic_by_session, wilson_interval

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


def test_a_constant_that_rounding_blurs_still_has_no_ic() -> None:
    # The mean of these 59 equal numbers is off by one unit in the last place, which passes for a variance.
    constant = pl.lit(-0.35268610916455645).alias(SCORE)
    frame = scored(sessions=1, stocks=59).with_columns(constant)
    assert ic_by_session(frame)["ic"].to_list() == [None]
    assert rank_ic_by_session(frame)["rank_ic"].to_list() == [None]


def test_the_measures_of_a_session() -> None:
    rows = scored().with_row_index().with_columns(pl.when(pl.col("index") != 3).then(SCORE).alias(SCORE))
    found = daily_metrics(rows)
    assert found[SESSION].to_list() == DAYS[:12]
    first = rows.filter(pl.col(SESSION) == DAYS[0]).drop_nulls(SCORE)
    score, target = first[SCORE].to_numpy(), first[TARGET].to_numpy()
    expected = (8, abs(score - target).mean(), abs(target).mean(), spearmanr(score, first[FORWARD_RETURN]).statistic)
    assert found.row(0)[1:] == pytest.approx(expected)
    assert daily_metrics(rows, TARGET)["rank_ic"][0] == pytest.approx(spearmanr(score, target).statistic)


@given(st.integers(1, 400), st.data())
def test_wilsons_interval_is_scipys_and_stays_within_bounds(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    np.testing.assert_allclose([low, high], [expected.low, expected.high], atol=1e-12)
    assert 0 <= low <= successes / trials <= high <= 1


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
