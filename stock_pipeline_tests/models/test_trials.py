"""Trials look at no session that a fold tests, and choose the better set."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from stock_pipeline.core.columns import FORWARD_RETURN, RANK_IC, SCORE, SESSION, SYMBOL, TARGET
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.catalogue import TARGET_KINDS, TargetKind
from stock_pipeline.datasets.panel import Panel
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.catalogue import CATALOGUE, ModelEntry, model_entry
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.plan import Plan, in_sequence
from stock_pipeline.models.scoring import scored
from stock_pipeline.models.trials import TRIED, choose_parameters
from stock_pipeline_tests.factories.folds import equal_folds
from stock_pipeline_tests.factories.stub_estimators import Stub, entry_of
from stock_pipeline_tests.factories.training_panels import DAYS, FEATURES, ONE_THREAD, REACH, exposed, panel, plan_of, quick

RIDGE = model_entry("spline_ridge")


def planned(entry: ModelEntry, rows: pl.DataFrame, trials: int, seed: int = 7) -> Plan:
    """A plan whose parameters are tried on two inner folds, of 25 sessions each, which end with session 119."""
    inner = equal_folds(DAYS[:120], folds=2, reach=REACH, embargo=3, min_train=65)
    return plan_of(entry, rows, conditions=replace(ONE_THREAD, seed=seed), trials=trials, inner_splits=tuple(inner))


def chosen(entry: ModelEntry, rows: pl.DataFrame, trials: int, seed: int = 7) -> tuple[dict[str, Any], pl.DataFrame]:
    plan = planned(entry, rows, trials, seed)
    return choose_parameters(plan, in_sequence(plan, Panel.of(rows, FEATURES)))


@pytest.mark.parametrize("entry", [RIDGE, quick(model_entry("lightgbm"))], ids=lambda entry: entry.name)
def test_no_session_of_a_test_fold_or_after_is_looked_at(entry: ModelEntry) -> None:
    rows = panel(symbols=10, count=150, signal=0.1)
    later = pl.col(SESSION) > DAYS[119]
    altered = rows.with_columns(
        pl.when(~later).then(name).otherwise(-7 * pl.col(name)).alias(name) for name in (*FEATURES, TARGET, FORWARD_RETURN)
    )
    found, other = (chosen(entry, frame, 3) for frame in (rows, altered))
    assert found[0] == other[0]
    assert found[1].equals(other[1])
    within = rows.with_columns(
        pl.when(pl.col(SESSION) < DAYS[110]).then(name).otherwise(-pl.col(name)).alias(name) for name in (TARGET, FORWARD_RETURN)
    )
    assert not chosen(entry, within, 3)[1].equals(found[1])


class Watched(Stub):
    """Keeps note of the sessions that it learns from and scores."""

    learned: list[NDArray[np.int32]] = []  # noqa: RUF012
    asked: list[NDArray[np.int32]] = []  # noqa: RUF012

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        super().fit(samples, y)
        self.learned.append(np.unique(samples.sessions))

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        self.asked.append(np.unique(samples.sessions))
        return super().predict(samples)


def test_each_set_is_tried_on_every_inner_fold() -> None:
    Watched.learned.clear()
    Watched.asked.clear()
    chosen(entry_of(Watched, space={"weight": (2.0,)}), panel(symbols=5, count=150), 2)
    assert [sessions.tolist() for sessions in Watched.asked] == [list(range(70, 95)), list(range(95, 120))] * 2
    assert [sessions.tolist() for sessions in Watched.learned] == [list(range(65)), list(range(90))] * 2


def test_an_inner_fold_that_a_label_reaches_into_is_refused() -> None:
    rows = panel(symbols=5, count=150)
    plan = planned(entry_of(Stub, space={"weight": (2.0,)}), rows, 2)
    leaking = replace(plan.inner_splits[1], train_to=DAYS[94])
    with pytest.raises(InputError, match="fold 2 trains up to"):
        choose_parameters(replace(plan, inner_splits=(plan.inner_splits[0], leaking)), in_sequence(plan, Panel.of(rows, FEATURES)))


def test_sets_are_judged_by_the_scores_that_are_used_freed_from_the_exposures() -> None:
    rows = panel(symbols=30, count=150, signal=0.5)
    plan = planned(entry_of(BesideF1, space={"feature": ("f0", "f3")}), rows, 3)
    plan = replace(plan, entry=replace(plan.entry, target=exposed(plan.entry.target, ("f1",))))
    tried = choose_parameters(plan, in_sequence(plan, Panel.of(rows, FEATURES)))[1]
    tested = rows.filter(pl.col(SESSION).is_between(DAYS[70], DAYS[119]))
    for feature, found in zip(("f2", "f0", "f3"), tried[RANK_IC], strict=True):
        output = (tested[feature] + tested["f1"]).to_numpy()
        used, raw = (float(np.mean(rank_ics(scored(tested, output, exposures)))) for exposures in (("f1",), ()))
        assert found == pytest.approx(used) != pytest.approx(raw)


def rank_ics(rows: pl.DataFrame) -> list[float]:
    return [float(spearmanr(part[SCORE], part[FORWARD_RETURN]).statistic) for _, part in rows.group_by(SESSION)]


class BesideF1(Stub):
    """Adds one feature to another, f1."""

    def __init__(self, conditions: Conditions, *, feature: str = "f2") -> None:
        super().__init__(conditions)
        self.feature = feature

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        x = samples.matrix()
        return np.asarray(x[:, samples.names.index(self.feature)] + x[:, samples.names.index("f1")], dtype=np.float64)

    def parameters(self) -> dict[str, Any]:
        return {"feature": self.feature}


class LearnsKnown(Stub):
    """Fails where it is given a target that is not known, or more samples than targets; keeps note of how many it was asked for."""

    asked: list[int] = []  # noqa: RUF012

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        super().fit(samples, y)
        assert np.isfinite(y).all()

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        self.asked.append(len(samples))
        return super().predict(samples)


def test_rows_without_a_target_are_neither_learnt_from_nor_judged() -> None:
    LearnsKnown.asked.clear()
    rows = panel(symbols=8, count=150)
    entry = entry_of(LearnsKnown, space={"weight": (-1.0,)})
    ahead = pl.col("f0").shift(2).over(SYMBOL).fill_null(0.0).cast(pl.Float64)
    unknown = pl.col(SYMBOL).is_in(["S00", "S05"]) & (pl.col(SESSION) != DAYS[3])
    # Where the target is not known, the outcome says the opposite of what it says elsewhere.
    altered = rows.with_columns(
        pl.when(unknown).then(-50 * ahead).otherwise(ahead).alias(FORWARD_RETURN), pl.when(~unknown).then(TARGET).alias(TARGET)
    )
    tried = chosen(entry, altered, 2)[1]
    assert tried[RANK_IC].to_list() == pytest.approx([1.0, -1.0])
    assert len(LearnsKnown.asked) == 2 * 2


@pytest.mark.parametrize("kind", TARGET_KINDS, ids=lambda kind: kind.name)
def test_the_better_set_is_chosen(kind: TargetKind) -> None:
    rows = panel(symbols=8, count=150, kind=kind).with_columns(pl.lit(0.25).alias(TARGET))
    # What a stub of weight -1 says is the right order of the outcome, what any other says the wrong one.
    ahead = rows.with_columns((-pl.col("f0").shift(2).over(SYMBOL)).fill_null(0.0).cast(pl.Float64).alias(kind.ranked_against))
    parameters, tried = chosen(entry_of(Stub, target=kind, space={"weight": (2.0, -1.0, 3.0)}), ahead, 10)
    assert parameters == {"weight": -1.0}
    assert tried.schema == TRIED
    best = tried.filter("chosen")
    assert best.height == 1 and json.loads(best["parameters"][0]) == parameters
    assert best[RANK_IC].to_list() == pytest.approx([1.0])
    assert tried.filter(~pl.col("chosen"))[RANK_IC].to_list() == pytest.approx([-1.0] * 3)
    assert tried["trial"].to_list() == [1, 2, 3, 4]
    assert tried["parameters"][0] == "{}"


def test_at_a_tie_the_model_s_own_parameters_stay() -> None:
    rows = panel(symbols=8, count=150)
    parameters, tried = chosen(entry_of(Stub, space={"weight": (2.0, 3.0)}), rows, 3)
    assert tried[RANK_IC].n_unique() == 1
    assert parameters == {}


def test_a_set_that_gives_no_rank_ic_is_the_worst() -> None:
    rows = panel(symbols=8, count=150)
    parameters, tried = chosen(entry_of(Stub, space={"weight": (0.0,)}), rows, 2)
    assert parameters == {} and tried[RANK_IC].to_list()[1] is None


@pytest.mark.parametrize(("trials", "space"), [(1, {"weight": (1.0, 2.0)}), (5, {})])
def test_without_a_choice_nothing_is_tried(trials: int, space: dict[str, Any]) -> None:
    parameters, tried = chosen(entry_of(Stub, space=space), panel(symbols=3, count=100), trials)
    assert parameters == {}
    assert tried.equals(pl.DataFrame(schema=TRIED))


def test_sets_are_drawn_without_repeats_and_by_the_seed() -> None:
    rows = panel(symbols=3, count=150)
    entry = entry_of(Stub, space={"weight": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)})
    few, again, others = (chosen(entry, rows, 3, seed=seed)[1]["parameters"].to_list() for seed in (1, 1, 2))
    assert few == again != others
    every = chosen(entry, rows, 50)[1]["parameters"].to_list()
    # Six, not seven: one of the six values is the model's own, which goes first.
    assert len(every) == len(set(every)) == 6


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_every_value_of_a_space_makes_a_model(entry: ModelEntry) -> None:
    for name, values in entry.space.items():
        made = [entry.make(ONE_THREAD, **{name: value}).parameters() for value in values]
        assert all(made.count(one) == 1 for one in made), name
