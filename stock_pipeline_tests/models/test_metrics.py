from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import ALL_PERIODS, FOLD, FORWARD_RETURN, METRIC, PERIOD, SCORE, SESSION, TARGET, VALUE
from stock_pipeline.core.scores import rank_ic_by_session
from stock_pipeline.models.metrics import ALL_FOLDS, OBSERVATIONS, PART, TEST, TRAIN, metric_table, metrics_by_part, overall
from stock_pipeline_tests.core.test_scores import DAYS, scored


def measures(frame: pl.DataFrame) -> dict[str, float | None]:
    return dict(metric_table(frame).select(METRIC, VALUE).iter_rows())


def test_sessions_without_an_ic_are_left_out() -> None:
    good, small = scored(sessions=2, stocks=5), scored(sessions=3, stocks=2).filter(pl.col(SESSION) == DAYS[2])
    row = metric_table(pl.concat([good, small])).filter(pl.col(METRIC) == "rank_ic").select(VALUE, "observations").row(0)
    assert row == (pytest.approx(rank_ic_by_session(good)["rank_ic"].mean()), 2)


def test_the_measures_follow_their_definitions() -> None:
    frame = scored()
    found = measures(frame)
    error = (frame[SCORE] - frame[TARGET]).to_numpy()
    daily = rank_ic_by_session(frame)["rank_ic"].to_numpy()
    assert found["mae"] == pytest.approx(np.abs(error).mean())
    assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    target = frame[TARGET].to_numpy()
    assert found["r2"] == pytest.approx(1 - (error**2).sum() / (target**2).sum())
    assert found["baseline_mae"] == pytest.approx(np.abs(target).mean())
    assert found["baseline_rmse"] == pytest.approx(np.sqrt((target**2).mean()))
    assert found["rank_ic"] == pytest.approx(daily.mean())
    assert found["icir"] == pytest.approx(daily.mean() / daily.std(ddof=1))
    assert found["rank_ic_t"] == pytest.approx(daily.mean() / (daily.std(ddof=1) / np.sqrt(12)))
    assert found["positive_ic_share"] == pytest.approx((daily > 0).mean())


def test_only_rows_with_score_and_target_count_and_a_rank_ic_of_zero_is_not_positive() -> None:
    frame = pl.DataFrame(
        {
            SESSION: [DAYS[0], *(day for day in DAYS[:4] for _ in range(4))],
            SCORE: [1.0, 9.0, None, 2.0, 3.0, *[1.0, 2.0, 3.0, 4.0] * 2, *[5.0] * 4],
            TARGET: [0.5, None, 9.0, 0.25, 0.0, *[0.0] * 12],
            FORWARD_RETURN: [0.1, -0.9, 0.3, 0.2, 0.4, 0.2, 0.4, 0.1, 0.3, 0.4, 0.3, 0.2, 0.1, *[0.1, 0.2, 0.3, 0.4]],
        }
    )
    table = metric_table(frame)
    found = {name: (value, observations) for name, value, observations in table.rows()}
    # Rank ICs of 1, 0 and -1; the last session has none.
    assert found["rank_ic"] == (pytest.approx(0.0, abs=1e-12), 3)
    assert found["positive_ic_share"] == (pytest.approx(1 / 3), 3)
    assert found["ic"][1] == 3
    errors = [0.5, 1.75, 3.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0, 5.0]
    assert found["mae"] == (pytest.approx(sum(errors) / 15), 15)
    assert found["baseline_mae"] == (pytest.approx(0.75 / 15), 15)
    # Whether stocks are told apart is a matter of the scores alone.
    assert found["told_apart_share"] == (pytest.approx(3 / 4), 4)


def test_a_table_of_nothing_holds_nulls() -> None:
    table = metric_table(scored().clear())
    assert table.height == 13
    assert table[VALUE].null_count() == 13
    assert table["observations"].sum() == 0


def test_the_share_of_sessions_told_apart_counts_those_of_two_stocks_or_more() -> None:
    frame, day = scored(sessions=4), pl.col(SESSION)
    tied = pl.when(day == DAYS[1]).then(0.5).when((day == DAYS[2]) & (pl.int_range(pl.len()).over(SESSION) > 0)).then(None).otherwise(SCORE)
    table = metric_table(frame.with_columns(tied.alias(SCORE))).filter(pl.col(METRIC) == "told_apart_share")
    # The second session ties, and the third has one score.
    assert table.select(VALUE, "observations").row(0) == (pytest.approx(2 / 3), 3)


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
    assert metric_table(frame, TARGET).rows() == metric_table(renamed).rows()
    assert metric_table(frame, TARGET).rows() != metric_table(frame).rows()


def parted() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Test rows of two folds and two years, and training rows of the same folds."""
    later = pl.when(pl.col(SESSION) < DAYS[6]).then(pl.col(SESSION)).otherwise(pl.col(SESSION).dt.offset_by("1y"))
    fold = pl.when(pl.col(SESSION) < DAYS[4]).then(1).otherwise(2).cast(pl.Int32).alias(FOLD)
    test = scored().with_columns(fold).with_columns(later.alias(SESSION))
    return test, scored(seed=1).with_columns(fold)


def test_scores_are_cut_by_part_fold_and_year() -> None:
    test, train = parted()
    table = metrics_by_part(test.reverse(), train)
    cuts = table.select(PART, FOLD, PERIOD).unique(maintain_order=True).rows()
    assert cuts == [
        (TEST, ALL_FOLDS, ALL_PERIODS),
        (TEST, 1, ALL_PERIODS),
        (TEST, 2, ALL_PERIODS),
        (TEST, ALL_FOLDS, "2021"),
        (TEST, ALL_FOLDS, "2022"),
        (TRAIN, ALL_FOLDS, ALL_PERIODS),
        (TRAIN, 1, ALL_PERIODS),
        (TRAIN, 2, ALL_PERIODS),
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
        assert found.select(METRIC, VALUE, OBSERVATIONS).rows() == [pytest.approx(row) for row in metric_table(rows).rows()]


def test_without_training_rows_there_is_no_training_part_and_overall_is_all_test_sessions() -> None:
    test, train = parted()
    assert metrics_by_part(test, None).equals(metrics_by_part(test, train).filter(pl.col(PART) == TEST))
    told = overall(metrics_by_part(test, train))
    assert told.select(METRIC, VALUE, OBSERVATIONS).equals(metric_table(test))
