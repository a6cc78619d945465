"""The asset of the versions over stored trainings of two feature sets."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from stock_pipeline.core.columns import ALL_PERIODS, AS_OF, FOLD, METRIC, MODEL, PERIOD, TRAINING_ID, VALUE, VERSION
from stock_pipeline.core.errors import RefusedWriteError
from stock_pipeline.features.catalogue import feature_set, hash_features
from stock_pipeline.models.artefacts import Artefact
from stock_pipeline.models.metrics import ALL_FOLDS, OBSERVATIONS, PART, TEST, TRAIN
from stock_pipeline.models.tables import MODEL_METRICS, OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.registry.assets import ARTEFACTS
from stock_pipeline.registry.tables import (
    ACTIVE,
    DECISIONS,
    LIVE_RESULTS,
    MODEL_VERSIONS,
    REJECTED,
    RETIRED,
    SHADOW,
    STATUS,
    TRAINING_JOBS,
)
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.artefacts import MODEL_FILE, model_file, put_training
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import ingested, out_of_fold_row, put, version_row
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import MOMENT, execute, make, stage_of

DAYS = sessions(12)
DAY = DAYS[-1]
SYMBOLS = "ABCDEFGH"
TARGETS = np.random.default_rng(1).normal(size=(len(DAYS), len(SYMBOLS)))


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path, DAY)


def train(
    stores: Stores,
    name: str,
    number: int,
    chosen: str,
    error: float,
    rank_ic: float = 0.01,
    target: str = "return",
    day: date = DAY,
    told_apart: float | None = None,
) -> Artefact:
    features = hash_features(feature_set(chosen).names)
    artefact = put_training(stores, "ridge", name, day, number=number, features_hash=features, target=target)
    measures = {"mae": error, "baseline_mae": 0.5, "rank_ic": rank_ic, "rank_ic_t": 100 * rank_ic, "told_apart_share": told_apart}
    row = {TRAINING_ID: name, MODEL: "ridge", AS_OF: day, PART: TEST, FOLD: ALL_FOLDS, PERIOD: ALL_PERIODS, OBSERVATIONS: 10}
    scores = [row | {METRIC: metric, VALUE: value} for metric, value in measures.items()]
    # Those of single folds and years, and of what was learned from, are not what versions are compared by.
    others = [{**held, **part, VALUE: 0.001} for held in scores for part in ({PART: TRAIN}, {FOLD: 1}, {PERIOD: "2012"})]
    put(stores, MODEL_METRICS, [*scores, *others], day)
    put(stores, OUT_OF_FOLD_PREDICTIONS, said(name, number, error), day)
    return artefact


def said(name: str, number: int, error: float) -> list[dict[str, Any]]:
    """Scores that are their targets, but for noise; the more of that, the larger the error."""
    scores = (1 - error) * TARGETS + error * np.random.default_rng(10 + number).normal(size=TARGETS.shape)
    return [
        out_of_fold_row("ridge", name, day, symbol, scores[i, j]) | {"target": TARGETS[i, j], "forward_return": TARGETS[i, j] / 100}
        for i, day in enumerate(DAYS)
        for j, symbol in enumerate(SYMBOLS)
    ]


def register(stores: Stores, chosen: str = "core", moment: datetime = MOMENT, **promotion: Any) -> StageResult:
    settings = plain_settings(stores.home, features={"set": chosen}, registry={"promotion": promotion})
    return make(MODEL_VERSIONS, stores, settings, moment=moment)


def registered(stores: Stores, chosen: str, **promotion: Any) -> list[tuple[int, str, str]]:
    assert register(stores, chosen, **promotion).output is not None
    return stores.read(MODEL_VERSIONS).sort(VERSION).select(VERSION, TRAINING_ID, STATUS).rows()


def test_another_set_s_model_takes_over_however_good_the_old_one_was_and_gives_way_again(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    assert registered(stores, "core") == [(1, "t1", ACTIVE)]
    train(stores, "t2", 2, "alpha158", 0.30)
    assert registered(stores, "alpha158") == [(1, "t1", RETIRED), (2, "t2", ACTIVE)]
    train(stores, "t3", 3, "core", 0.40)
    assert registered(stores, "core") == [(1, "t1", RETIRED), (2, "t2", RETIRED), (3, "t3", ACTIVE)]


def test_a_training_on_features_that_are_not_made_now_becomes_no_version(stores: Stores) -> None:
    train(stores, "t1", 1, "alpha158", 0.20)
    train(stores, "t2", 2, "core", 0.25)
    assert registered(stores, "core") == [(1, "t2", ACTIVE)]
    assert stores.read(TRAININGS).filter(pl.col(TRAINING_ID) == "t1").height == 1


SAID = (("t1", 0.20), ("t2", 0.30))


def test_a_version_bears_its_scores_over_all_test_sessions_and_is_judged_on_those_that_it_shares(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    train(stores, "t2", 2, "core", 0.30)
    assert registered(stores, "core") == [(1, "t1", ACTIVE), (2, "t2", REJECTED)]
    assert stores.read(MODEL_VERSIONS).sort(VERSION).select("mae", "baseline_mae").rows() == [(0.20, 0.5), (0.30, 0.5)]
    first, second = stores.read(DECISIONS).iter_rows(named=True)
    assert (first["decision"], first["decision_basis"], second["decision"], second["decision_basis"]) == (
        "promoted",
        "first_version",
        "rejected",
        "holdout",
    )
    errors = [np.mean([abs(row["score"] - row["target"]) for row in said(name, int(name[1]), error)]) for name, error in SAID]
    compared = [second[name] for name in ("sessions", "predictions", "mae", "champion_mae", "baseline_mae")]
    assert compared == pytest.approx([12, 96, errors[1], errors[0], abs(TARGETS).mean()])
    assert second["judged_by"] == "rank_ic" and second["rank_ic"] < second["champion_rank_ic"] and second["p_value"] < 0.05
    assert "that is worse beyond chance" in second["reason"]


@pytest.mark.parametrize(("target", "judged_by"), [("volatility", "loss"), ("direction", "loss"), ("return", "rank_ic")])
def test_a_version_is_judged_by_what_its_target_is_judged_by(target: str, judged_by: str, stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20, target=target)
    train(stores, "t2", 2, "core", 0.10, target=target)
    assert registered(stores, "core") == [(1, "t1", RETIRED), (2, "t2", ACTIVE)]
    last = stores.read(DECISIONS).row(-1, named=True)
    assert last["judged_by"] == judged_by and last["reason"].startswith("loss" if judged_by == "loss" else "rank IC")
    assert last["mse"] < last["champion_mse"] < last["baseline_mse"] == pytest.approx((TARGETS**2).mean())


def test_a_version_in_shadow_is_decided_on_by_the_outcomes_of_nights(stores: Stores) -> None:
    rule = {"mode": "shadow", "shadow_sessions": 9, "shadow_predictions": 27}
    train(stores, "t1", 1, "core", 0.20)
    train(stores, "t2", 2, "core", 0.30)
    assert registered(stores, "core", **rule) == [(1, "t1", ACTIVE), (2, "t2", SHADOW)]
    for training, version in (("t1", 1), ("t2", 2)):
        known = {"model": "ridge", VERSION: version, TRAINING_ID: training, "predictions": 3, "mae": 0.2, "baseline_mae": 0.5}
        rows = [
            known | {"session": day, **dict.fromkeys(("rank_ic", "target_ic"), 0.1 + 0.1 * (-1) ** i + 0.01 * version * i)}
            for i, day in enumerate(DAYS[:9])
        ]
        put(stores, LIVE_RESULTS, rows, DAY)
    # Out of fold it is worse than the active one, which is no longer the only one that was ever kept.
    assert registered(stores, "core", **rule) == [(1, "t1", RETIRED), (2, "t2", ACTIVE)]
    last = stores.read(DECISIONS).row(-1, named=True)
    assert (last["decision"], last["decision_basis"], last["sessions"], last["predictions"]) == ("promoted", "shadow", 9, 27)
    assert last["rank_ic"] == pytest.approx(last["champion_rank_ic"] + 0.04) and last["correlation"] > 0.9


def test_a_damaged_version_gives_way_to_a_worse_one(stores: Stores) -> None:
    artefact = train(stores, "t1", 1, "core", 0.20)
    assert registered(stores, "core") == [(1, "t1", ACTIVE)]
    model_file(stores, artefact).unlink()
    train(stores, "t2", 2, "core", 0.40)
    assert registered(stores, "core") == [(1, "t1", RETIRED), (2, "t2", ACTIVE)]
    assert "version 1 cannot predict" in stores.read(DECISIONS)["reason"][1]
    assert MODEL_FILE in stores.read(DECISIONS)["reason"][1]


def test_the_check_of_the_artefacts_names_what_is_damaged_in_service_and_stops_nothing(stores: Stores) -> None:
    artefact = train(stores, "t1", 1, "core", 0.20)
    assert register(stores).checks[ARTEFACTS].passed
    model_file(stores, artefact).write_text("other weights")
    again = register(stores)
    assert (again.output, again.checks[ARTEFACTS].passed, dict(again.blocked)) == (None, False, {})
    assert MODEL_FILE in str(again.checks[ARTEFACTS].facts["t1"])


def test_trainings_that_no_job_made_are_told_as_one_of_the_moment(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    register(stores, moment=MOMENT)
    train(stores, "t2", 2, "core", 0.19)
    later = MOMENT + timedelta(days=7)
    register(stores, moment=later)
    jobs = stores.read(TRAINING_JOBS)
    assert jobs.select("job", "reason", "models", "state").rows() == [
        (1, "missing", '["ridge"]', "COMPLETED"),
        (2, "schedule", '["ridge"]', "COMPLETED"),
    ]
    assert jobs["requested_at"].to_list() == jobs["finished_at"].to_list() == [MOMENT, later]


def test_without_news_nothing_is_decided_again(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    register(stores)
    assert register(stores).output is None
    train(stores, "t2", 2, "core", 0.19)
    assert register(stores).output is not None


def test_what_a_hand_decided_in_the_meantime_is_not_lost(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20)
    settings = plain_settings(stores.home)
    stage = stage_of(MODEL_VERSIONS, settings)

    def decided_meanwhile(context: StageContext) -> StageOutput | None:
        product = stage.body(context)
        put(stores, MODEL_VERSIONS, [version_row("ridge", 1, "t1", DAY)], DAY)
        return product

    with pytest.raises(RefusedWriteError, match=r"registry\.model_versions was changed by another"):
        execute(replace(stage, body=decided_meanwhile), stores, settings)
    assert stores.count(DECISIONS) == 0
    assert stores.last_executions()[stage.name].state == "failed"


def test_a_training_too_good_to_be_true_becomes_no_version_when_a_later_one_is_registered(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.10, rank_ic=0.6)
    train(stores, "t2", 2, "core", 0.25)
    assert registered(stores, "core") == [(1, "t2", ACTIVE)]


def test_scores_that_tie_on_most_sessions_out_of_fold_make_no_active_version(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.20, told_apart=1 / 3)
    assert registered(stores, "core") == [(1, "t1", REJECTED)]
    train(stores, "t2", 2, "core", 0.25, told_apart=1.0)
    assert registered(stores, "core") == [(1, "t1", REJECTED), (2, "t2", ACTIVE)]


def test_a_volatility_may_be_foretold_that_well(stores: Stores) -> None:
    train(stores, "t1", 1, "core", 0.10, rank_ic=0.6, target="volatility")
    assert registered(stores, "core") == [(1, "t1", ACTIVE)]
