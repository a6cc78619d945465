import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import (
    ALL_PERIODS,
    AS_OF,
    FOLD,
    FORWARD_RETURN,
    HORIZON,
    MODEL,
    PERIOD,
    RETURN_SCALE,
    SCORE,
    SESSION,
    SYMBOL,
    TARGET,
    TRAINING_ID,
)
from stock_pipeline.datasets.catalogue import RETURN_KIND, TARGET_KINDS, VOLATILITY_KIND, TargetKind
from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.manifest import Manifest, TrainingInputs
from stock_pipeline.models.metrics import ALL_FOLDS, PART, TEST, TRAIN, overall
from stock_pipeline.models.reading import check_artefact
from stock_pipeline.models.recording import Calibration, Fitted, TrainingPredictions, manifest_of, metrics_of, record
from stock_pipeline.models.stacking import StackedModel
from stock_pipeline.models.tables import (
    FEATURE_IMPORTANCE,
    MODEL_METRICS,
    OUT_OF_FOLD_PREDICTIONS,
    RETURN_CALIBRATIONS,
    SHAP_VALUES,
    TRAININGS,
    TRIALS,
)
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.factories.training_panels import FEATURES, panel

DAYS = sessions(5)
STACKED = StackedModel(weights={"a": 1.0}, members={"a": "t0"})
MANIFEST = Manifest(
    model=STACK,
    training_id="t1",
    as_of=DAYS[4],
    train_from=DAYS[0],
    train_to=DAYS[2],
    features=FEATURES,
    features_hash=hash_features(FEATURES),
    rows=120,
    parameters={"members": {"a": "t0"}, "knots": 7},
    metrics={},
    seed=3,
    threads=2,
    code_version="1",
)


def out_of_fold(skill: float = 1.0) -> pl.DataFrame:
    """What a model that knows ``skill`` times the outcome said of 30 stocks in two folds, in no particular order."""
    rows = panel(symbols=30, count=20)
    middle = rows[SESSION].unique().sort()[10]
    return rows.select(
        pl.lit(STACK).alias(MODEL),
        (1 + (pl.col(SESSION) >= middle).cast(pl.Int32)).alias(FOLD),
        SESSION,
        SYMBOL,
        (skill * pl.col(TARGET)).alias(SCORE),
        TARGET,
        FORWARD_RETURN,
    ).sample(fraction=1, shuffle=True, seed=1)


def test_a_training_becomes_rows_of_its_tables_and_an_artefact(tmp_path: Path) -> None:
    training = record(tmp_path, STACKED, MANIFEST, TrainingPredictions(out_of_fold()), sessions=3, number=1)
    (row,) = TRAININGS.validate(training.trainings).to_dicts()
    assert {name: row[name] for name in ("training_id", "model", "as_of", "train_from", "train_to")} == {
        "training_id": "t1",
        "model": STACK,
        "as_of": DAYS[4],
        "train_from": DAYS[0],
        "train_to": DAYS[2],
    }
    assert (row["rows"], row["sessions"], row["features"], row["seed"], row["threads"]) == (120, 3, len(FEATURES), 3, 2)
    assert (row["target"], row["trials"], row["device"]) == ("return", 1, "cpu")
    assert json.loads(row["parameters"]) == MANIFEST.parameters
    folder = tmp_path / row["artefact"]
    assert check_artefact(folder, row["sha256"]).training_id == "t1"
    assert row["size_bytes"] == sum(file.stat().st_size for file in folder.iterdir())


def test_a_manifest_tells_what_the_training_depended_on_and_what_the_model_was_fitted_on() -> None:
    inputs = TrainingInputs("a", DAYS[4], FEATURES, "data", {"knots": 7}, Conditions(3, 2), "1")
    sessions = pl.Series([DAYS[2], DAYS[0], DAYS[2]])
    made = manifest_of(Fitted(inputs, STACKED, sessions, RETURN_KIND, ("f0",), 4), said_in_full(), [])
    expected = replace(
        MANIFEST, model="a", training_id=inputs.training_id(), rows=3, parameters={"knots": 7}, exposures=("f0",), window=4, trials=2
    )
    assert made == replace(expected, metrics=metrics_of(out_of_fold(), RETURN_KIND))
    of_stack = manifest_of(
        Fitted(inputs, STACKED, sessions, VOLATILITY_KIND), TrainingPredictions(out_of_fold()), [inputs.training_id(), "another"]
    )
    assert (of_stack.target, of_stack.trials, of_stack.exposures) == ("volatility", 1, ())
    assert of_stack.training_id not in (inputs.training_id(), "another")


def test_what_was_said_out_of_fold_is_kept_whole_and_in_order(tmp_path: Path) -> None:
    said = out_of_fold()
    kept = OUT_OF_FOLD_PREDICTIONS.validate(record(tmp_path, STACKED, MANIFEST, TrainingPredictions(said), 3, 1).out_of_fold)
    assert kept[TRAINING_ID].unique().to_list() == ["t1"]
    assert kept.select(SESSION, SYMBOL).equals(said.sort(SESSION, SYMBOL).select(SESSION, SYMBOL))
    assert kept[SCORE].equals(said.sort(SESSION, SYMBOL)[SCORE])


def test_scores_cover_parts_folds_and_years(tmp_path: Path) -> None:
    said = TrainingPredictions(out_of_fold(), out_of_fold(skill=-1.0))
    scores = MODEL_METRICS.validate(record(tmp_path, STACKED, MANIFEST, said, 3, 1).scores)
    rank_ic = scores.filter(pl.col("metric") == "rank_ic")
    cuts = [(TEST, ALL_FOLDS, ALL_PERIODS), (TEST, 1, ALL_PERIODS), (TEST, 2, ALL_PERIODS), (TEST, ALL_FOLDS, "2012")]
    assert rank_ic.select(PART, FOLD, PERIOD).rows() == [*cuts, *((TRAIN, fold, ALL_PERIODS) for fold in (ALL_FOLDS, 1, 2))]
    assert rank_ic["value"].to_list() == pytest.approx([1] * 4 + [-1] * 3)
    assert scores.select(TRAINING_ID, MODEL, AS_OF).unique().rows() == [("t1", STACK, DAYS[4])]
    assert overall(rank_ic)["value"].to_list() == pytest.approx([1])


def said_in_full() -> TrainingPredictions:
    """What a base model has to say: also what it knows of, why, and what was tried."""
    rows = panel(symbols=2, count=3)
    explained = pl.concat(
        rows.select(SESSION, SYMBOL, feature=pl.lit(name), contribution=pl.lit(size, pl.Float32), value=pl.col(name))
        for name, size in (("f0", 0.3), ("f1", -0.1))
    )
    trials = pl.DataFrame(
        {"trial": [1, 2], "parameters": ["{}", "{}"], "rank_ic": [0.01, None], "chosen": [True, False]},
        schema={"trial": pl.Int32, "parameters": pl.String, "rank_ic": pl.Float64, "chosen": pl.Boolean},
    )
    return TrainingPredictions(out_of_fold(), out_of_fold(), explained, trials.with_columns(pl.col("rank_ic").fill_null(-1.0)))


def test_explanations_importances_and_trials_become_rows_too(tmp_path: Path) -> None:
    training = record(tmp_path, STACKED, MANIFEST, said_in_full(), 3, 1)
    assert SHAP_VALUES.validate(training.shap_values).height == 12
    assert FEATURE_IMPORTANCE.validate(training.importance).select("feature", "rank").rows() == [("f0", 1), ("f1", 2)]
    assert training.importance["share"].to_list() == pytest.approx([0.75, 0.25], abs=1e-6)
    assert TRIALS.validate(training.trials)["chosen"].to_list() == [True, False]
    for rows in (training.shap_values, training.importance, training.trials):
        assert rows.select(TRAINING_ID, MODEL).unique().rows() == [("t1", STACK)]


def test_a_training_is_written_whole_and_replaces_its_own_rows(tmp_path: Path) -> None:
    writes = record(tmp_path, STACKED, MANIFEST, said_in_full(), 3, 1).writes
    assert [write.schema for write in writes] == [
        TRAININGS,
        OUT_OF_FOLD_PREDICTIONS,
        MODEL_METRICS,
        SHAP_VALUES,
        FEATURE_IMPORTANCE,
        TRIALS,
    ]
    assert [write.replaces for write in writes[1:]] == [(TRAINING_ID,)] * 5
    assert all(write.frame.height and write.schema.validate(write.frame).height for write in writes)


def test_a_stack_writes_no_rows_that_it_has_nothing_to_say_of(tmp_path: Path) -> None:
    training = record(tmp_path, STACKED, MANIFEST, TrainingPredictions(out_of_fold(), explained=said_in_full().explained.clear()), 3, 1)  # type: ignore[union-attr]
    assert [write.schema for write in training.writes] == [TRAININGS, OUT_OF_FOLD_PREDICTIONS, MODEL_METRICS]
    assert training.scores[PART].unique().to_list() == [TEST]


@pytest.mark.parametrize("kind", TARGET_KINDS, ids=lambda kind: kind.name)
def test_a_model_is_ranked_against_what_it_is_for(kind: TargetKind, tmp_path: Path) -> None:
    opposite = out_of_fold().with_columns((-pl.col(FORWARD_RETURN)).alias(FORWARD_RETURN))
    sign = 1 if kind.ranked_against == TARGET else -1
    assert metrics_of(opposite, kind)["rank_ic"] == pytest.approx(sign)
    scores = record(tmp_path, STACKED, replace(MANIFEST, target=kind.name), TrainingPredictions(opposite), 3, 1).scores
    assert scores.filter(pl.col("metric") == "rank_ic")["value"].to_list() == pytest.approx([sign] * 4)


def test_recording_twice_gives_the_same_rows_and_leaves_the_artefact(tmp_path: Path) -> None:
    first = record(tmp_path, STACKED, MANIFEST, TrainingPredictions(out_of_fold()), 3, 1)
    folder = tmp_path / first.trainings["artefact"][0]
    made = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    second = record(tmp_path, STACKED, replace(MANIFEST), TrainingPredictions(out_of_fold()), 3, 1)
    assert second.trainings.equals(first.trainings)
    assert second.scores.equals(first.scores)
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == made


def test_metrics_are_the_measures_over_all_folds() -> None:
    measured = metrics_of(out_of_fold(skill=0.5), RETURN_KIND)
    assert measured["rank_ic"] == pytest.approx(1)
    assert measured["baseline_mae"] == pytest.approx(0.2586, abs=1e-3)
    assert measured["mae"] == pytest.approx(0.5 * (measured["baseline_mae"] or 0))


def test_what_scores_mean_is_kept_in_the_manifest_and_by_horizon(tmp_path: Path) -> None:
    said = said_in_full()
    predicted = replace(said, calibration=Calibration({RETURN_SCALE: 0.02}, tuple(by_horizon(horizon) for horizon in (1, 5))))
    inputs = TrainingInputs("a", DAYS[4], FEATURES, "data", {}, Conditions(3, 2), "1")
    manifest = manifest_of(Fitted(inputs, STACKED, pl.Series(DAYS[:2]), RETURN_KIND), predicted, [])
    assert manifest.metrics == {**metrics_of(out_of_fold(), RETURN_KIND), RETURN_SCALE: 0.02}
    training = record(tmp_path, STACKED, manifest, predicted, 3, 1)
    rows = RETURN_CALIBRATIONS.validate(training.return_calibrations)
    assert rows.select(TRAINING_ID, MODEL, AS_OF, HORIZON, RETURN_SCALE).rows() == [
        (manifest.training_id, "a", DAYS[4], horizon, 0.02 / horizon) for horizon in (1, 5)
    ]
    assert RETURN_CALIBRATIONS in [write.schema for write in training.writes]


def by_horizon(horizon: int) -> dict[str, float | int | None]:
    """What a calibration found, of which little matters here."""
    found = dict.fromkeys(RETURN_CALIBRATIONS.column_names[4:], 0.0)
    return {**found, HORIZON: horizon, "sessions": 20, RETURN_SCALE: 0.02 / horizon, "residual_low": None}
