from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import FOLD, FORWARD_RETURN, METRIC, MODEL, SCORE, SESSION, SYMBOL, TARGET, VALUE
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.splits import Split
from stock_pipeline.models.metrics import metric_table
from stock_pipeline.models.stacking import (
    LEAST_SLOPE,
    USUAL_ROWS,
    USUAL_SLOPE,
    StackedModel,
    combine,
    stack_out_of_fold,
    stack_scale,
    stack_weights,
    widen,
)
from stock_pipeline_tests.factories.folds import equal_folds
from stock_pipeline_tests.factories.training_panels import panel

MODELS = ["good", "fair", "noise"]


def wide_scores(seed: int = 0) -> tuple[pl.DataFrame, list[Split]]:
    """Three models' scores of two folds: the target seen through little noise, through much, and not at all."""
    rows = panel(symbols=25, count=120, seed=seed)
    splits = equal_folds(rows[SESSION].to_list(), folds=3, reach=2, embargo=3, min_train=40)
    rng = np.random.default_rng(seed)
    fold = pl.coalesce(pl.when(pl.col(SESSION).is_between(s.test_from, s.test_to)).then(pl.lit(s.fold, pl.Int32)) for s in splits)
    wide = rows.select(fold.alias(FOLD), SESSION, SYMBOL, TARGET, FORWARD_RETURN).drop_nulls(FOLD)
    noise = rng.normal(size=(3, wide.height))
    target = wide[TARGET].to_numpy()
    scores = {"good": target + 2 * noise[0], "fair": 100 * (target + 4 * noise[1]), "noise": noise[2]}
    return wide.with_columns(pl.Series(name, values) for name, values in scores.items()), splits


def test_weights_sum_to_one_and_follow_skill_but_shrink() -> None:
    wide, _ = wide_scores()
    free, usual, equal = (stack_weights(wide, MODELS, rows) for rows in (0, 20_000, 1e12))
    for weights in (free, usual, equal):
        assert sum(weights.values()) == pytest.approx(1)
    assert free["good"] > usual["good"] > 1 / 3 > usual["noise"] > free["noise"] >= 0
    assert free["good"] > free["fair"] > free["noise"]
    assert list(equal.values()) == pytest.approx([1 / 3] * 3, abs=1e-4)


def test_the_more_rows_the_less_the_weights_shrink() -> None:
    wide, _ = wide_scores()
    of_noise = [stack_weights(pl.concat([wide] * times), MODELS)["noise"] for times in (1, 10, 100)]
    assert 1 / 3 > of_noise[0] > of_noise[1] > of_noise[2] > 0


def test_the_coefficients_minimise_the_squares_and_the_distance_from_equal_ones() -> None:
    wide, _ = wide_scores()
    weights = stack_weights(wide, MODELS, 5_000)
    scores = wide.select(session_rank(model) for model in MODELS).to_numpy()
    usual = np.full(3, USUAL_SLOPE / 3)
    normal = scores.T @ scores + 5_000 / 12 * np.eye(3)
    slopes = np.linalg.solve(normal, scores.T @ wide[TARGET].to_numpy() + 5_000 / 12 * usual)
    assert list(weights.values()) == pytest.approx((slopes / slopes.sum()).tolist())


def test_without_rows_or_skill_the_weights_are_equal() -> None:
    wide, _ = wide_scores()
    opposite = wide.with_columns(-pl.col(TARGET).alias("good"), -pl.col(TARGET).alias("fair"))
    for frame in (wide.clear(), opposite):
        assert list(stack_weights(frame, ["good", "fair"], 0.0).values()) == [0.5, 0.5]


@pytest.mark.parametrize(("models", "equal_rows"), [([], 1), (["good"], -1), (["good"], float("nan"))])
def test_weights_of_nothing_or_with_a_senseless_pull_are_refused(models: list[str], equal_rows: float) -> None:
    with pytest.raises(InputError, match="give at least one model and 0 rows or more"):
        stack_weights(wide_scores()[0], models, equal_rows)


def test_the_stack_is_the_weighted_mean_of_ranks() -> None:
    wide, _ = wide_scores()
    day = wide.filter(pl.col(SESSION) == wide[SESSION][0]).head(3)
    scores = day.select(SESSION, SYMBOL, good=pl.Series([1.0, 2.0, 9.0]), fair=pl.Series([30.0, 10.0, 20.0]))
    combined = combine(scores, {"good": 0.75, "fair": 0.25}, 1.0)
    assert combined.columns == [SESSION, SYMBOL, SCORE]
    assert combined[SCORE].to_list() == pytest.approx([-0.25, -0.125, 0.375])
    assert combine(scores, {"good": 0.75, "fair": 0.25}, 0.1)[SCORE].to_list() == pytest.approx([-0.025, -0.0125, 0.0375])


def test_rows_without_a_target_are_ranked_and_combined_but_teach_nothing() -> None:
    wide, splits = wide_scores()
    gone = pl.col(SYMBOL).is_in(["S03", "S11"])
    without = wide.with_columns(pl.when(~gone).then(name).alias(name) for name in (TARGET, FORWARD_RETURN))
    # Ranked among all the stocks of a session, then without those that have no target.
    ranks = wide.select(SYMBOL, TARGET, *(session_rank(model) for model in MODELS)).filter(~gone)
    scores = ranks.select(MODELS).to_numpy()
    slopes = np.linalg.solve(
        scores.T @ scores + 5_000 / 12 * np.eye(3), scores.T @ ranks[TARGET].to_numpy() + 5_000 / 12 * np.full(3, USUAL_SLOPE / 3)
    )
    weights = stack_weights(without, MODELS, 5_000)
    assert list(weights.values()) == pytest.approx((slopes / slopes.sum()).tolist())
    mean, prior = scores @ np.array(list(weights.values())), USUAL_ROWS / 12
    expected = (mean @ ranks[TARGET].to_numpy() + USUAL_SLOPE * prior) / (mean @ mean + prior)
    assert stack_scale(without, weights) == pytest.approx(expected)
    own = stack_out_of_fold(without, MODELS, splits)
    assert own.height == wide.height and own.filter(gone)[TARGET].null_count() == own.filter(gone).height > 0


def test_a_missing_score_leaves_the_others_to_decide() -> None:
    session = wide_scores()[0][SESSION][0]
    scores = pl.DataFrame({SESSION: [session] * 3, "good": [1.0, None, None], "fair": [1.0, 2.0, None]})
    assert combine(scores, {"good": 0.6, "fair": 0.4}, 1.0)[SCORE].to_list() == pytest.approx([-0.2, 0.5, None])


@given(st.floats(0.01, 0.99), st.integers(0, 5))
def test_the_stack_stays_within_bounds_and_ignores_scale(weight: float, seed: int) -> None:
    wide, _ = wide_scores(seed)
    weights = {"good": weight, "fair": 1 - weight}
    plain = combine(wide.select(SESSION, "good", "fair"), weights, 1.0)[SCORE]
    scaled = combine(wide.select(SESSION, pl.col("good") * 7 + 3, "fair"), weights, 1.0)[SCORE]
    assert plain.abs().max() <= 0.5 + 1e-12  # type: ignore[operator]
    assert plain.to_list() == scaled.to_list()


def test_the_scale_is_the_slope_of_the_target_pulled_to_a_usual_one() -> None:
    wide, _ = wide_scores()
    weights = {"good": 0.7, "fair": 0.3}
    mean = combine(wide, weights, 1.0)[SCORE].to_numpy()
    target, prior = wide[TARGET].to_numpy(), USUAL_ROWS / 12
    expected = (mean @ target + USUAL_SLOPE * prior) / (mean @ mean + prior)
    assert stack_scale(wide, weights) == pytest.approx(expected)
    assert stack_scale(wide.clear(), weights) == pytest.approx(USUAL_SLOPE)


def test_the_scale_of_a_stack_that_is_wrong_stays_positive_and_changes_no_ranking() -> None:
    wide, _ = wide_scores()
    many = pl.concat([wide.with_columns((-pl.col(TARGET)).alias("good"))] * 40)
    assert stack_scale(many, {"good": 1.0}) == LEAST_SLOPE > 0
    plain, small = (combine(wide, {"good": 0.5, "fair": 0.5}, scale)[SCORE] for scale in (1.0, LEAST_SLOPE))
    np.testing.assert_allclose(small.to_numpy(), LEAST_SLOPE * plain.to_numpy(), rtol=1e-9)


def test_the_stack_of_a_fold_knows_nothing_of_it_nor_of_what_follows() -> None:
    wide, splits = wide_scores()
    third = splits[2]
    altered = wide.with_columns(pl.when(pl.col(SESSION) > third.train_to).then(-pl.col(TARGET)).otherwise(TARGET).alias(TARGET))
    plain, other = (stack_out_of_fold(frame, MODELS, splits, 0.0) for frame in (wide, altered))
    assert plain[SCORE].to_list() == other[SCORE].to_list()
    assert plain.columns == [MODEL, FOLD, SESSION, SYMBOL, SCORE, TARGET, FORWARD_RETURN]
    assert plain.height == wide.height
    known = wide.filter(pl.col(SESSION) <= third.train_to)
    learned = stack_weights(known, MODELS, 0.0)
    expected = combine(wide.filter(pl.col(FOLD) == 3), learned, stack_scale(known, learned))[SCORE]
    assert plain.filter(pl.col(FOLD) == 3)[SCORE].to_list() == expected.to_list()
    equal = dict.fromkeys(MODELS, 1 / 3)
    first = combine(wide.filter(pl.col(FOLD) == 1), equal, stack_scale(wide.clear(), equal))[SCORE]
    assert plain.filter(pl.col(FOLD) == 1)[SCORE].to_list() == first.to_list()


def test_the_stack_beats_the_mean_of_its_members() -> None:
    wide, splits = wide_scores()

    def rank_ic(frame: pl.DataFrame) -> float:
        return float(dict(metric_table(frame).select(METRIC, VALUE).iter_rows())["rank_ic"])

    members = [rank_ic(wide.with_columns(pl.col(model).alias(SCORE))) for model in MODELS]
    assert rank_ic(stack_out_of_fold(wide, MODELS, splits)) > float(np.mean(members)) + 0.02


def long_of(wide: pl.DataFrame) -> pl.DataFrame:
    key = [FOLD, SESSION, SYMBOL, TARGET, FORWARD_RETURN]
    return wide.unpivot(MODELS, index=key, variable_name=MODEL, value_name=SCORE).with_columns(pl.lit("id").alias("training_id"))


def test_widening_gives_each_model_its_column() -> None:
    wide, _ = wide_scores()
    without = long_of(wide).filter((pl.col(MODEL) != "fair") | (pl.col(FOLD) > 1))
    found = widen(without.partition_by(MODEL))
    assert found.columns == [SESSION, SYMBOL, TARGET, FORWARD_RETURN, "good", "fair", "noise"]
    assert found.select(SESSION, SYMBOL, TARGET, "good", "noise").equals(wide.select(SESSION, SYMBOL, TARGET, "good", "noise"))
    first = wide.filter(pl.col(FOLD) == 1)[SESSION].max()
    assert (
        found.filter(pl.col(SESSION) <= first)["fair"].null_count() == found["fair"].null_count() == wide.filter(pl.col(FOLD) == 1).height
    )
    assert found.equals(widen(without.sample(fraction=1, shuffle=True, seed=3).filter(pl.col(MODEL) == model) for model in MODELS))
    assert widen([without.clear()]).columns == found.columns[:4]


def test_models_of_other_nights_and_folds_are_one_row_a_stock_all_the_same() -> None:
    wide, _ = wide_scores()
    cut = wide[SESSION].unique().sort()[20]
    # "good" was trained later, with one fold only, and by then a return had been restated and so a target had changed.
    restated = [(2 * pl.col(name)).alias(name) for name in (TARGET, FORWARD_RETURN)]
    good = (
        long_of(wide).filter((pl.col(MODEL) == "good") & (pl.col(SESSION) >= cut)).with_columns(pl.lit(1, pl.Int32).alias(FOLD), *restated)
    )
    fair = long_of(wide).filter(pl.col(MODEL) == "fair")
    assert widen([good, fair]).filter(pl.col(SESSION) >= cut)[TARGET].equals(2 * wide.filter(pl.col(SESSION) >= cut)[TARGET])
    found = widen([fair, good])
    assert found.select(SESSION, SYMBOL, "fair").equals(wide.select(SESSION, SYMBOL, "fair"))
    assert found.select(TARGET, FORWARD_RETURN).equals(wide.select(TARGET, FORWARD_RETURN))
    assert found.drop_nulls("good")[SESSION].min() == cut
    kept = wide.filter(pl.col(SESSION) >= cut)
    assert found.filter(pl.col(SESSION) >= cut)["good"].equals(kept["good"])
    stacked = stack_out_of_fold(found, ["fair", "good"], wide_scores()[1])
    assert stacked.height == wide.height and stacked[SCORE].null_count() == 0


def test_a_saved_stack_is_the_same_stack(tmp_path: Path) -> None:
    stack = StackedModel({"good": 0.6, "fair": 0.4}, {"good": "0" * 16, "fair": "f" * 16})
    stack.save(tmp_path)
    assert StackedModel.load(tmp_path) == stack
    scaled = StackedModel(stack.weights, stack.members, 0.02)
    scaled.save(tmp_path)
    assert StackedModel.load(tmp_path) == scaled != stack


def test_a_stack_from_before_it_had_a_scale_loads(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"members": {"good": "0"}, "weights": {"good": 1.0}}')
    assert StackedModel.load(tmp_path) == StackedModel({"good": 1.0}, {"good": "0"}, 1.0)
