from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, pearsonr, spearmanr

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, METRIC, SCORE, SESSION, TARGET, VALUE
from stock_pipeline.models.scores import (
    ALL_FOLDS,
    OBSERVATIONS,
    PART,
    PERIOD,
    TEST,
    TRAIN,
    WHOLE,
    ic_by_session,
    overall,
    rank_ic_by_session,
    score_table,
    scores_of,
    wilson_interval,
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


def measures(frame: pl.DataFrame) -> dict[str, float | None]:
    return dict(score_table(frame).select(METRIC, VALUE).iter_rows())


def test_the_correlations_of_each_session_are_scipys() -> None:
    frame = scored()
    for found, name, reference in (
        (rank_ic_by_session(frame), "rank_ic", spearmanr),
        (ic_by_session(frame), "ic", pearsonr),
    ):
        expected = [reference(day[SCORE], day[FORWARD_RETURN]).statistic for day in frame.partition_by(SESSION)]
        np.testing.assert_allclose(found[name].to_list(), expected, atol=1e-12)
        assert found["stocks"].to_list() == [9] * 12


def test_sessions_too_small_or_constant_have_no_ic_and_are_left_out() -> None:
    good = scored(sessions=2, stocks=5)
    small = scored(sessions=3, stocks=2).filter(pl.col(SESSION) == DAYS[2])
    flat_score = scored(sessions=4).filter(pl.col(SESSION) == DAYS[3]).with_columns(pl.lit(0.1).alias(SCORE))
    flat_outcome = scored(sessions=5).filter(pl.col(SESSION) == DAYS[4]).with_columns(pl.lit(0.0).alias(FORWARD_RETURN))
    unknown = scored(sessions=6).filter(pl.col(SESSION) == DAYS[5]).with_columns(pl.lit(None, pl.Float64).alias(FORWARD_RETURN))
    frame = pl.concat([good, small, flat_score, flat_outcome, unknown])
    daily = rank_ic_by_session(frame)["rank_ic"]
    assert [value is None for value in daily] == [False, False, True, True, True]
    assert ic_by_session(frame)["ic"].is_null().to_list() == daily.is_null().to_list()
    table = score_table(frame)
    assert table.filter(pl.col(METRIC) == "rank_ic").select(VALUE, "observations").row(0) == (pytest.approx(daily.mean()), 2)


def test_the_measures_follow_their_definitions() -> None:
    frame = scored()
    found = measures(frame)
    error = (frame[SCORE] - frame[TARGET]).to_numpy()
    daily = rank_ic_by_session(frame)["rank_ic"].to_numpy()
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    target = frame[TARGET].to_numpy()
    assert found["r2"] == pytest.approx(1 - (error**2).sum() / (target**2).sum())
    assert found["zero_mae"] == pytest.approx(np.abs(target).mean())
    assert found["zero_rmse"] == pytest.approx(np.sqrt((target**2).mean()))
    assert found["rank_ic"] == pytest.approx(daily.mean())
    assert found["icir"] == pytest.approx(daily.mean() / daily.std(ddof=1))
    assert found["rank_ic_t"] == pytest.approx(daily.mean() / (daily.std(ddof=1) / np.sqrt(12)))
    assert found["hit_rate"] == pytest.approx((daily > 0).mean())


def test_a_table_of_nothing_holds_nulls() -> None:
    table = score_table(scored().clear())
    assert table.height == 12
    assert table[VALUE].null_count() == 12
    assert table["observations"].sum() == 0


def test_one_session_has_a_mean_but_no_spread() -> None:
    found = measures(scored(sessions=1))
    assert found["rank_ic"] is not None
    assert found["icir"] is None and found["rank_ic_t"] is None


@pytest.mark.parametrize(("score", "r2"), [(lambda target: target, 1.0), (lambda target: 0 * target, 0.0), (lambda target: -target, -3.0)])
def test_nothing_is_worth_nothing_and_the_opposite_less(score: Callable[[pl.Expr], pl.Expr], r2: float) -> None:
    assert measures(scored().with_columns(score(pl.col(TARGET)).alias(SCORE)))["r2"] == pytest.approx(r2)


def test_targets_that_are_all_zero_have_no_r2() -> None:
    assert measures(scored().with_columns(pl.lit(0.0).alias(TARGET)))["r2"] is None


def test_a_score_can_be_ranked_against_another_outcome() -> None:
    frame = scored()
    renamed = frame.with_columns(pl.col(TARGET).alias(FORWARD_RETURN))
    assert score_table(frame, TARGET).rows() == score_table(renamed).rows()
    assert score_table(frame, TARGET).rows() != score_table(frame).rows()


def parted() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Test rows of two folds and two years, and training rows of the same folds."""
    later = pl.when(pl.col(SESSION) < DAYS[6]).then(pl.col(SESSION)).otherwise(pl.col(SESSION).dt.offset_by("1y"))
    fold = pl.when(pl.col(SESSION) < DAYS[4]).then(1).otherwise(2).cast(pl.Int32).alias(FOLD)
    test = scored().with_columns(fold).with_columns(later.alias(SESSION))
    return test, scored(seed=1).with_columns(fold)


def test_scores_are_cut_by_part_fold_and_year() -> None:
    test, train = parted()
    table = scores_of(test.reverse(), train)
    cuts = table.select(PART, FOLD, PERIOD).unique(maintain_order=True).rows()
    assert cuts == [
        (TEST, ALL_FOLDS, WHOLE),
        (TEST, 1, WHOLE),
        (TEST, 2, WHOLE),
        (TEST, ALL_FOLDS, "2021"),
        (TEST, ALL_FOLDS, "2022"),
        (TRAIN, ALL_FOLDS, WHOLE),
        (TRAIN, 1, WHOLE),
        (TRAIN, 2, WHOLE),
    ]
    expected = [
        test,
        test.filter(pl.col(FOLD) == 1),
        test.filter(pl.col(FOLD) == 2),
        test.filter(pl.col(SESSION).dt.year() == 2021),
        test.filter(pl.col(SESSION).dt.year() == 2022),
        train,
        train.filter(pl.col(FOLD) == 1),
        train.filter(pl.col(FOLD) == 2),
    ]
    for cut, rows in zip(cuts, expected, strict=True):
        found = table.filter((pl.col(PART) == cut[0]) & (pl.col(FOLD) == cut[1]) & (pl.col(PERIOD) == cut[2]))
        assert found.select(METRIC, VALUE, OBSERVATIONS).rows() == [pytest.approx(row) for row in score_table(rows).rows()]


def test_without_training_rows_there_is_no_training_part_and_overall_is_all_test_sessions() -> None:
    test, train = parted()
    assert scores_of(test, None).equals(scores_of(test, train).filter(pl.col(PART) == TEST))
    told = overall(scores_of(test, train))
    assert told.select(METRIC, VALUE, OBSERVATIONS).equals(score_table(test))


@given(st.integers(1, 400), st.data())
def test_wilsons_interval_is_scipys_and_stays_within_bounds(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    np.testing.assert_allclose([low, high], [expected.low, expected.high], atol=1e-12)
    assert 0 <= low <= successes / trials <= high <= 1


def test_a_constant_that_rounding_blurs_still_has_no_ic() -> None:
    # The mean of these 59 equal numbers is off by one unit in the last place, which passes for a variance.
    constant = pl.lit(-0.35268610916455645).alias(SCORE)
    frame = scored(sessions=1, stocks=59).with_columns(constant)
    assert ic_by_session(frame)["ic"].to_list() == [None]
    assert rank_ic_by_session(frame)["rank_ic"].to_list() == [None]
