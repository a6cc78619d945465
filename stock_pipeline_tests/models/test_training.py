from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from stock_pipeline.core.columns import FEATURE, FOLD, FORWARD_RETURN, MODEL, SCORE, SESSION, SYMBOL, TARGET
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.catalogue import RETURN_KIND, VOLATILITY_KIND
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.splits import Split
from stock_pipeline.models.catalogue import CATALOGUE, ModelEntry, model_entry
from stock_pipeline.models.fitting import fit
from stock_pipeline.models.scoring import scored
from stock_pipeline.models.training import SESSIONS_SEEN
from stock_pipeline_tests.factories.stub_estimators import Stub, entry_of
from stock_pipeline_tests.factories.training_panels import (
    DAYS,
    FEATURES,
    REACH,
    panel,
    plan_of,
    quick,
    samples_of,
    train_here,
    unlabelled_from,
)

RIDGE = model_entry("spline_ridge")
SAID = [MODEL, FOLD, SESSION, SYMBOL, SCORE, TARGET, FORWARD_RETURN]


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_future_does_not_move_a_score(entry: ModelEntry) -> None:
    rows = panel(symbols=8, count=100, signal=1.0, kind=entry.target)
    plan = plan_of(quick(entry, most_samples=2000), rows)
    first = plan.splits[0]
    known_later, tested_later = pl.col(SESSION) > first.train_to, pl.col(SESSION) > first.test_to
    altered = rows.with_columns(
        pl.when(known_later).then(-pl.col(TARGET)).otherwise(TARGET).alias(TARGET),
        *(pl.when(tested_later).then(-pl.col(name)).otherwise(name).alias(name) for name in FEATURES),
    )
    before, after = (train_here(plan, frame) for frame in (rows, altered))
    scores = [trained.out_of_fold.filter(pl.col(FOLD) == 1)[SCORE].to_list() for trained in (before, after)]
    assert scores[0] == scores[1] and len(set(scores[0])) > 1
    assert before.out_of_fold.filter(pl.col(FOLD) == 2)[SCORE].to_list() != after.out_of_fold.filter(pl.col(FOLD) == 2)[SCORE].to_list()
    in_sample = [trained.in_sample.filter(pl.col(FOLD) == 1) for trained in (before, after)]
    assert_frame_equal(in_sample[0], in_sample[1])


def test_each_test_row_gets_one_score_whatever_the_order_of_rows() -> None:
    rows = panel(symbols=6)
    plan = plan_of(RIDGE, rows)
    found = train_here(plan, rows).out_of_fold
    assert found.columns == SAID
    expected = rows.filter(pl.col(SESSION) >= plan.splits[0].test_from).select(SESSION, SYMBOL, TARGET, FORWARD_RETURN)
    assert_frame_equal(found.select(expected.columns), expected)
    assert_frame_equal(found, train_here(plan, rows.sample(fraction=1.0, shuffle=True, seed=5)).out_of_fold)


def test_rows_without_an_outcome_are_scored_as_if_they_had_one() -> None:
    rows = panel(symbols=8, exposures=("f4",))
    plan = plan_of(RIDGE, rows, exposures=("f4",))
    halted = pl.col(SYMBOL).is_in(["S03", "S06"]) & (pl.col(SESSION) >= plan.splits[0].test_from)
    without = rows.with_columns(pl.when(~halted).then(name).alias(name) for name in (TARGET, FORWARD_RETURN))
    found, plain = (train_here(plan, frame).out_of_fold.filter(pl.col(FOLD) == 1) for frame in (without, rows))
    # On the night no one knows who will have an outcome: every score is what it is where all of them have one.
    assert_frame_equal(found.drop(TARGET, FORWARD_RETURN), plain.drop(TARGET, FORWARD_RETURN))
    assert found.filter(halted).select(pl.col(TARGET, FORWARD_RETURN).is_null().all()).row(0) == (True, True)


@pytest.mark.parametrize("name", ["spline_ridge", "catboost", "n_hits", "direction"])
def test_rows_without_a_target_do_not_move_a_fit_by_a_bit(name: str) -> None:
    entry = model_entry(name)
    rows = panel(symbols=8, count=100, signal=1.0, kind=entry.target)
    plan = plan_of(quick(entry, most_samples=2000), rows)
    gone = rows.filter(pl.col(SYMBOL).is_in(["S01", "S04"])).with_columns((pl.col(SYMBOL) + "_gone").alias(SYMBOL))
    beside = pl.concat([rows, unlabelled_from(gone, DAYS[0])])
    first, last = plan.splits[0].train_from, plan.splits[0].train_to
    said = [fit(plan, Panel.of(frame, FEATURES), {}, first, last).predict(samples_of(rows)) for frame in (rows, beside)]
    assert said[0].tobytes() == said[1].tobytes() and len(set(said[0].tolist())) > 1


def test_a_night_s_last_rows_are_neither_learnt_from_nor_scored() -> None:
    rows = panel(symbols=6, count=120)
    labelled = rows.filter(pl.col(SESSION) < DAYS[118])
    plan = plan_of(RIDGE, labelled)
    pending = unlabelled_from(rows, DAYS[118])
    found, plain = train_here(plan, pending), train_here(plan, labelled)
    assert_frame_equal(found.out_of_fold, plain.out_of_fold)
    assert found.model.predict(samples_of(rows)).tolist() == plain.model.predict(samples_of(rows)).tolist()
    assert found.explained[SESSION].max() == plain.explained[SESSION].max() <= DAYS[117]  # type: ignore[operator]


def test_scores_are_freed_from_the_exposures_of_their_kind() -> None:
    for kind, exposures in ((RETURN_KIND, ("f0", "f5")), (VOLATILITY_KIND, ())):
        rows = panel(symbols=20, signal=0.3, kind=kind)
        plan = plan_of(replace(RIDGE, target=kind), rows, exposures=exposures)
        split = plan.splits[0]
        estimator = fit(plan, Panel.of(rows, FEATURES), {}, split.train_from, split.train_to)
        tested = rows.filter(pl.col(SESSION).is_between(split.test_from, split.test_to))
        expected = scored(tested, estimator.predict(samples_of(tested)), exposures)[SCORE]
        found = train_here(plan, rows).out_of_fold.filter(pl.col(FOLD) == 1)[SCORE]
        np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), atol=1e-12)


def test_a_model_of_several_sessions_sees_those_before_the_test_range_and_across_the_folds() -> None:
    rows = panel(symbols=5)
    plan = plan_of(entry_of(Stub), rows)
    found = train_here(plan, rows).out_of_fold
    earlier = rows.select(pl.col(SESSION).replace_strict(dict(zip(DAYS, DAYS[2:], strict=False))), SYMBOL, pl.col("f0").cast(pl.Float64))
    expected = found.select(SESSION, SYMBOL).join(earlier, on=[SESSION, SYMBOL], how="left", maintain_order="left")
    assert found[SCORE].to_list() == expected["f0"].to_list()


@pytest.mark.parametrize(("count", "sessions"), [(150, SESSIONS_SEEN), (110, None)])
def test_the_seen_part_is_of_whole_sessions_that_the_fold_learnt_from(count: int, sessions: int | None) -> None:
    rows = panel(symbols=4, count=count)
    plan = plan_of(RIDGE, rows, min_train=40)
    in_sample = train_here(plan, rows).in_sample
    assert in_sample.columns == SAID
    for split in plan.splits:
        part = in_sample.filter(pl.col(FOLD) == split.fold)
        learned = rows.filter(pl.col(SESSION).is_between(split.train_from, split.train_to))[SESSION].n_unique()
        assert part[SESSION].n_unique() == min(learned, sessions or SESSIONS_SEEN)
        assert part.height == 4 * part[SESSION].n_unique()
        assert (part[SESSION].min(), part[SESSION].max()) == (split.train_from, split.train_to)


def test_a_model_knows_what_it_has_seen_better_than_the_rest() -> None:
    rows = panel(symbols=20)
    trained = train_here(plan_of(quick(model_entry("lightgbm")), rows), rows)
    known, unknown = (
        float(np.corrcoef(*part.select(SCORE, TARGET).to_numpy().T)[0, 1]) for part in (trained.in_sample, trained.out_of_fold)
    )
    assert known > 0.3 > 0.1 > abs(unknown)


def test_a_leaking_split_is_refused_before_anything_is_fitted() -> None:
    rows = panel(symbols=4)
    good, other = plan_of(RIDGE, rows).splits
    leaking = replace(other, train_to=DAYS[DAYS.index(other.test_from) - REACH])

    def fail(*_of: Any, **_named: Any) -> Stub:
        raise AssertionError("a model was made")

    plan = plan_of(replace(RIDGE, make=fail), rows, splits=(good, leaking))
    with pytest.raises(InputError, match="fold 2 trains up to"):
        train_here(plan, rows)


def test_the_final_model_learns_from_every_row_with_a_target() -> None:
    rows = panel(symbols=6, signal=0.3)
    plan = plan_of(RIDGE, rows)
    model = train_here(plan, rows.reverse()).model
    every, half = (fit(plan, Panel.of(rows, FEATURES), {}, DAYS[0], DAYS[last]) for last in (149, 75))
    said = [one.predict(samples_of(rows)) for one in (model, every, half)]
    assert said[0].tolist() == said[1].tolist() != said[2].tolist()
    assert np.corrcoef(said[0], rows[TARGET].to_numpy())[0, 1] > 0.2
    assert model.feature_names == FEATURES


def test_only_the_features_of_the_panel_are_learnt_from() -> None:
    rows = panel(symbols=6)
    trained = train_here(plan_of(RIDGE, rows), rows, names=("f2", "f0"))
    assert trained.model.feature_names == ("f2", "f0")
    assert trained.explained[FEATURE].unique(maintain_order=True).to_list() == ["f2", "f0"]


def test_the_parameters_that_trials_choose_are_used_throughout() -> None:
    rows = panel(symbols=6, count=200)
    # A stub that says the opposite of what it should is worse on any noise than one that says the right thing.
    entry = entry_of(Stub, space={"weight": (-1.0, 2.0)})
    ahead = rows.with_columns(pl.col("f0").shift(2).over(SYMBOL).fill_null(0.0).cast(pl.Float64).alias(FORWARD_RETURN))
    trained = train_here(plan_of(entry, ahead, min_train=120, trials=3), ahead)
    chosen = trained.trials.filter("chosen")
    assert chosen.height == 1 and trained.trials.height == 3
    flipped = train_here(plan_of(replace(entry, make=_Opposite), ahead, min_train=120, trials=3), ahead)
    assert flipped.model.parameters() == {"weight": -1.0}
    assert (flipped.out_of_fold[SCORE] * ahead.tail(flipped.out_of_fold.height)[FORWARD_RETURN]).min() >= 0  # type: ignore[operator]


class _Opposite(Stub):
    def __init__(self, conditions: Any, *, weight: float = 1.0) -> None:
        super().__init__(conditions, weight=weight)

    def predict(self, samples: Any) -> Any:
        return -super().predict(samples)


def test_a_panel_or_range_without_a_labelled_row_is_refused() -> None:
    rows = panel(symbols=6)
    plan = plan_of(RIDGE, rows)
    for empty in (rows.clear(), unlabelled_from(rows, DAYS[0])):
        with pytest.raises(InputError, match="no labelled row to train spline_ridge on"):
            train_here(plan, empty)
    with pytest.raises(InputError, match=f"no labelled row between {DAYS[0]} and"):
        train_here(plan, rows.with_columns(pl.when(pl.col(SESSION) > DAYS[100]).then(TARGET).alias(TARGET)))
    elsewhere = Split(1, DAYS[200], DAYS[300], DAYS[310], DAYS[320])
    with pytest.raises(InputError, match=f"no row between {DAYS[200]} and {DAYS[300]}"):
        train_here(replace(plan, splits=(elsewhere,)), rows)


def test_the_same_plan_and_panel_give_the_same_training() -> None:
    rows = panel(symbols=8, count=120)
    one, two = (train_here(plan_of(quick(model_entry("random_forest")), rows), rows) for _ in range(2))
    for name in ("out_of_fold", "in_sample", "explained", "trials"):
        assert_frame_equal(getattr(one, name), getattr(two, name))
    other = train_here(
        plan_of(quick(model_entry("random_forest")), rows, conditions=replace(plan_of(RIDGE, rows).conditions, seed=8)), rows
    )
    assert other.out_of_fold[SCORE].to_list() != one.out_of_fold[SCORE].to_list()
