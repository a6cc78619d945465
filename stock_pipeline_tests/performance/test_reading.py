from pathlib import Path

import polars as pl

from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.performance.outcomes import KIND
from stock_pipeline.performance.reading import COLUMNS, live_predictions, predictions_of_every_version, predictions_on_record
from stock_pipeline.performance.tables import LIVE, ORIGIN, OUT_OF_FOLD
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.registry.tables import MODEL_VERSIONS, SHADOW, STATUS
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.rows import empty_stores, out_of_fold_row, prediction_row, put, training_row, version_row

DAYS = sessions(4)
MODEL = "spline_ridge"


def test_live_predictions_stand_beside_the_out_of_fold_ones_of_the_versions_in_service(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    put(stores, TRAININGS, [training_row(MODEL, name, DAYS[1]) for name in ("t1", "t2")], DAYS[3])
    put(stores, MODEL_VERSIONS, [version_row(MODEL, 1, "t1", DAYS[1], DAYS[2]), version_row(MODEL, 2, "t2", DAYS[2])], DAYS[3])
    put(stores, OUT_OF_FOLD_PREDICTIONS, [out_of_fold_row(MODEL, name, DAYS[0], "AAA", 0.1) for name in ("t1", "t2")], DAYS[3])
    live = [prediction_row(MODEL, "t1", DAYS[1], "AAA", 0.2), prediction_row(MODEL, "t2", DAYS[2], "AAA", 0.3)]
    put(stores, DAILY_PREDICTIONS, live, DAYS[3])
    found = pl.concat(predictions_on_record(stores))
    assert found.columns == [*COLUMNS, ORIGIN]
    # What a retired version said live was said; what it said out of fold is no record of the active one.
    assert sorted(found.select("training_id", "session", "score", ORIGIN).rows()) == [
        ("t1", DAYS[1], 0.2, LIVE),
        ("t2", DAYS[0], 0.1, OUT_OF_FOLD),
        ("t2", DAYS[2], 0.3, LIVE),
    ]


def test_where_nothing_serves_there_is_no_record(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    put(stores, OUT_OF_FOLD_PREDICTIONS, [out_of_fold_row(MODEL, "t1", DAYS[0], "AAA", 0.1)], DAYS[3])
    assert list(predictions_on_record(stores)) == []


def test_what_ranks_no_returns_has_no_record(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    names = ("risk", "direction", "stack")
    put(stores, TRAININGS, [training_row(name, f"{name}_1", DAYS[1]) for name in names], DAYS[3])
    put(stores, MODEL_VERSIONS, [version_row(name, 1, f"{name}_1", DAYS[1]) for name in names], DAYS[3])
    put(stores, OUT_OF_FOLD_PREDICTIONS, [out_of_fold_row(name, f"{name}_1", DAYS[0], "AAA", 0.1) for name in names], DAYS[3])
    put(stores, DAILY_PREDICTIONS, [prediction_row(name, f"{name}_1", DAYS[1], "AAA", 0.2) for name in names], DAYS[3])
    found = pl.concat(predictions_on_record(stores))
    assert sorted(found.select("model", ORIGIN).rows()) == [
        (name, origin) for name in ("direction", "stack") for origin in (LIVE, OUT_OF_FOLD)
    ]


def test_a_version_in_shadow_speaks_for_no_one_and_has_predictions_all_the_same(tmp_path: Path) -> None:
    stores = empty_stores(tmp_path)
    put(stores, TRAININGS, [training_row(MODEL, name, DAYS[1], target="direction") for name in ("t1", "t2")], DAYS[3])
    shadow = version_row(MODEL, 2, "t2", DAYS[1]) | {STATUS: SHADOW, "active_from": None}
    put(stores, MODEL_VERSIONS, [version_row(MODEL, 1, "t1", DAYS[1]), shadow], DAYS[3])
    said = [prediction_row(MODEL, f"t{v}", day, "AAA", v / 10) | {"version": v} for v in (1, 2) for day in DAYS[1:]]
    put(stores, DAILY_PREDICTIONS, said, DAYS[3])
    assert live_predictions(stores).select("session", "training_id").rows() == [(day, "t1") for day in DAYS[1:]]
    assert live_predictions(stores, DAYS[2])["session"].to_list() == DAYS[1:3]
    assert set(pl.concat(predictions_on_record(stores))["training_id"]) == {"t1"}
    every = predictions_of_every_version(stores, DAYS[2], DAYS[2]).sort("version")
    assert every.select("session", "training_id", "version", "score", KIND).rows() == [
        (DAYS[2], "t1", 1, 0.1, "direction"),
        (DAYS[2], "t2", 2, 0.2, "direction"),
    ]
