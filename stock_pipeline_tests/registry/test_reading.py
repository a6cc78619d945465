import json
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.models.tables import MODEL_METRICS, TRAININGS
from stock_pipeline.registry.overview import model_status
from stock_pipeline.registry.reading import (
    active_versions,
    all_versions,
    disabled_models,
    eligible_versions,
    in_shadow_on,
    serving_predictions,
)
from stock_pipeline.registry.tables import MODEL_ENABLEMENT, MODEL_VERSIONS
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline.storage.audit import Execution
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import MOMENT, empty_stores, put, training_row, version_row

DAYS = sessions(6)
MODEL = CATALOGUE[0].name


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """A model whose second version took the place of the first on the fourth night, and a stack that has not been retrained."""
    stores = empty_stores(tmp_path)
    put(
        stores,
        TRAININGS,
        [training_row(MODEL, "t1", DAYS[0], rows=11), training_row(MODEL, "t2", DAYS[3], rows=22)],
        DAYS[3],
        f"models/{MODEL}",
    )
    weights = json.dumps({"weights": {MODEL: 0.75, "lightgbm": 0.25}, "members": {MODEL: "t1"}})
    put(stores, TRAININGS, [training_row(STACK, "s1", DAYS[0], parameters=weights)], DAYS[3])
    rows = [version_row(MODEL, 1, "t1", DAYS[0], DAYS[3]), version_row(MODEL, 2, "t2", DAYS[3]), version_row(STACK, 1, "s1", DAYS[0])]
    put(stores, MODEL_VERSIONS, rows, DAYS[3])
    scores = [
        {
            "training_id": name,
            "part": part,
            "fold": fold,
            "period": period,
            "metric": "rank_ic",
            "model": MODEL,
            "as_of": DAYS[0],
            "value": value,
            "observations": 9,
        }
        for name, part, fold, period, value in (
            ("t1", "test", 0, "all", 0.01),
            ("t2", "test", 0, "all", 0.02),
            ("t2", "test", 1, "all", 0.5),
            ("t2", "test", 0, "2012", 0.6),
            ("t2", "train", 0, "all", 0.7),
        )
    ]
    put(stores, MODEL_METRICS, scores, DAYS[3])
    return stores


def test_the_versions_in_service_come_with_their_training(stores: Stores) -> None:
    active = active_versions(stores)
    assert active.select("model", "version", "training_id", "rows", "artefact").rows() == [
        (MODEL, 2, "t2", 22, f"{MODEL}/t2"),
        (STACK, 1, "s1", 100, "stack/s1"),
    ]


@pytest.mark.parametrize(("night", "heard"), [(0, [1]), (2, [1]), (3, [2, 1]), (5, [2, 1])])
def test_on_each_night_the_version_that_served_speaks_and_earlier_ones_may_stand_in(night: int, heard: list[int], stores: Stores) -> None:
    found = eligible_versions(all_versions(stores), MODEL, DAYS[night])
    assert found["version"].to_list() == heard


def test_no_version_on_other_features_stands_in(stores: Stores) -> None:
    put(stores, TRAININGS, [training_row(MODEL, "t1", DAYS[0], features_hash="11")], DAYS[3])
    assert eligible_versions(all_versions(stores), MODEL, DAYS[4])["version"].to_list() == [2]


def test_before_the_first_training_nobody_speaks(stores: Stores) -> None:
    assert eligible_versions(all_versions(stores), MODEL, sessions(1, DAYS[0].replace(year=2010))[0]).is_empty()


def test_versions_in_shadow_predict_from_the_night_of_their_training(stores: Stores) -> None:
    put(stores, TRAININGS, [training_row(MODEL, "t3", DAYS[4])], DAYS[4])
    put(stores, MODEL_VERSIONS, [version_row(MODEL, 3, "t3", DAYS[4]) | {"status": "shadow", "active_from": None}], DAYS[4])
    versions = all_versions(stores)
    assert [in_shadow_on(versions, DAYS[night])["version"].to_list() for night in (3, 4, 5)] == [[], [3], [3]]
    assert eligible_versions(versions, MODEL, DAYS[5])["version"].to_list() == [2, 1]


def test_what_was_said_is_what_the_version_in_service_said_or_else_the_last_retired(stores: Stores) -> None:
    put(stores, MODEL_VERSIONS, [version_row(MODEL, 3, "t3", DAYS[4]) | {"status": "shadow", "active_from": None}], DAYS[4])
    said = [(DAYS[2], 1), (DAYS[2], 3), (DAYS[3], 1), (DAYS[3], 2), (DAYS[3], 3), (DAYS[4], 1), (DAYS[4], 3), (DAYS[5], 3)]
    predictions = pl.DataFrame([{"model": MODEL, "session": day, "version": version, "score": 0.5} for day, version in said])
    heard = serving_predictions(stores.read(MODEL_VERSIONS), predictions.with_columns(pl.col("version").cast(pl.Int32)))
    assert heard.select("session", "version").sort("session").rows() == [(DAYS[2], 1), (DAYS[3], 2), (DAYS[4], 1)]
    assert heard.columns == predictions.columns


def test_a_model_is_enabled_unless_it_was_disabled(stores: Stores) -> None:
    row = {"enabled": False, "as_of": DAYS[4], "reason": "it errs"}
    put(stores, MODEL_ENABLEMENT, [row | {"model": "a"}, row | {"model": "b", "enabled": True}], DAYS[4])
    assert disabled_models(stores) == {"a"}


def test_the_status_tells_of_every_model_with_its_metrics_over_all_folds(stores: Stores) -> None:
    told = {row["model"]: row for row in model_status(stores)}
    assert list(told) == [*(entry.name for entry in CATALOGUE), STACK]
    assert told[MODEL] == {
        "model": MODEL,
        "active_version": 2,
        "versions": 2,
        "training_id": "t2",
        "trained_as_of": str(DAYS[3]),
        "last_trained": MOMENT.isoformat() + "Z",
        "train_from": str(DAYS[3]),
        "train_to": str(DAYS[3]),
        "rows": 22,
        "features": 2,
        "size_bytes": 10,
        "metrics": {"rank_ic": 0.02},
        "weight": 0.75,
        "problem": None,
    }
    assert (told[STACK]["metrics"], told[STACK]["last_trained"]) == ({}, None)
    assert (told[STACK]["weight"], told[STACK]["problem"]) == (None, None)
    assert told["lightgbm"] == {"model": "lightgbm", "active_version": None, "versions": 0, "weight": 0.25, "problem": None}
    assert told["risk"] == {"model": "risk", "active_version": None, "versions": 0, "weight": None, "problem": None}


def test_the_status_tells_why_the_last_training_failed_until_one_succeeds(stores: Stores) -> None:
    def ended(minute: int, error: str | None) -> str | None:
        moment = MOMENT.replace(minute=minute)
        stores.record_executions(
            "ml", Execution(f"models/{MODEL}", "a-run", moment, moment, "succeeded" if error is None else "failed", 0, error)
        )
        problem: str | None = next(row["problem"] for row in model_status(stores) if row["model"] == MODEL)
        return problem

    assert ended(10, "not enough memory") == "not enough memory"
    assert ended(11, None) is None


def test_before_the_first_stack_no_model_weighs_anything(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    assert {row["weight"] for row in model_status(stores)} == {None}


def test_the_status_of_nothing_is_null(tmp_path: Path) -> None:
    assert {row["active_version"] for row in model_status(open_stores(tmp_path / "nowhere"))} == {None}
