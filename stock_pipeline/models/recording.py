"""Recording a finished training: its artefact, and its rows in the tables of the stage."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import AS_OF, METRIC, MODEL, SESSION, SYMBOL, TRAINING_ID, VALUE
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.datasets.catalogue import TargetKind, target_kind
from stock_pipeline.models import tables
from stock_pipeline.models.artefacts import Artefact, Saveable, write_artefact
from stock_pipeline.models.explanations import importances
from stock_pipeline.models.manifest import Manifest, TrainingInputs
from stock_pipeline.models.metrics import metric_table, metrics_by_part
from stock_pipeline.storage import Write, replace_groups, upsert


@dataclass(frozen=True)
class Calibration:
    """What scores mean in plain units: numbers for the manifest, by name, and what ``return_calibration`` found for each horizon."""

    numbers: Mapping[str, float | None] = field(default_factory=dict)
    by_horizon: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True)
class TrainingPredictions:
    """A training's out-of-fold scores, in-sample scores, explanations and trials, see ``training.Trained``, and its calibration.

    A stack has neither ``in_sample`` nor ``explained`` nor ``trials``; they are None.
    """

    out_of_fold: pl.DataFrame
    in_sample: pl.DataFrame | None = None
    explained: pl.DataFrame | None = None
    trials: pl.DataFrame | None = None
    calibration: Calibration = field(default_factory=Calibration)


@dataclass(frozen=True)
class Fitted:
    """A final model that is to be recorded.

    Attributes:
        inputs: what its training depended on.
        model: the model itself, which predictions are made with.
        sessions: the session of each row that it was fitted on.
        kind: the kind of target that it learned.
        exposures: what its scores are neutralised against; none for a stack, as its members' scores already are.
        window: sessions of features that a score rests on.
    """

    inputs: TrainingInputs
    model: Saveable
    sessions: pl.Series
    kind: TargetKind
    exposures: tuple[str, ...] = ()
    window: int = 1


@dataclass(frozen=True)
class Training:
    """The rows of one training, ready for the tables of the stage."""

    trainings: pl.DataFrame
    out_of_fold: pl.DataFrame
    scores: pl.DataFrame
    shap_values: pl.DataFrame
    importance: pl.DataFrame
    trials: pl.DataFrame
    return_calibrations: pl.DataFrame

    @property
    def writes(self) -> tuple[Write, ...]:
        """Everything in one transaction; a training rebuilt replaces its own rows."""
        of_training = {
            tables.OUT_OF_FOLD_PREDICTIONS: self.out_of_fold,
            tables.MODEL_METRICS: self.scores,
            tables.SHAP_VALUES: self.shap_values,
            tables.FEATURE_IMPORTANCE: self.importance,
            tables.TRIALS: self.trials,
            tables.RETURN_CALIBRATIONS: self.return_calibrations,
        }
        always = (tables.TRAININGS.name, tables.OUT_OF_FOLD_PREDICTIONS.name, tables.MODEL_METRICS.name)
        kept = [(schema, rows) for schema, rows in of_training.items() if rows.height or schema.name in always]
        return (upsert(tables.TRAININGS, self.trainings), *(replace_groups(schema, rows, (TRAINING_ID,)) for schema, rows in kept))


def metrics_of(out_of_fold: pl.DataFrame, kind: TargetKind) -> dict[str, float | None]:
    """The metrics over all folds, by name."""
    return dict(metric_table(out_of_fold, kind.ranked_against).select(METRIC, VALUE).iter_rows())


def manifest_of(fitted: Fitted, predicted: TrainingPredictions, held: Sequence[str]) -> Manifest:
    """The manifest of a model, without its files; ``held`` names the model's trainings in the order in which they were made."""
    inputs, sessions = fitted.inputs, fitted.sessions.unique().sort()
    return Manifest(
        model=inputs.model,
        training_id=inputs.training_id(held),
        as_of=inputs.as_of,
        train_from=sessions[0],
        train_to=sessions[-1],
        features=inputs.features,
        features_hash=inputs.features_hash,
        rows=fitted.sessions.len(),
        parameters=inputs.parameters,
        metrics={**metrics_of(predicted.out_of_fold, fitted.kind), **predicted.calibration.numbers},
        **vars(inputs.conditions),
        code_version=inputs.code_version,
        target=fitted.kind.name,
        exposures=fitted.exposures,
        window=fitted.window,
        trials=1 if predicted.trials is None else max(1, predicted.trials.height),
    )


def record(models_root: Path, model: Saveable, manifest: Manifest, predicted: TrainingPredictions, sessions: int, number: int) -> Training:
    """Write the artefact, then make the rows of the training.

    Args:
        models_root: the folder of all artefacts.
        model: the final model, or its files.
        manifest: its metadata.
        predicted: its scores, explanations and trials.
        sessions: how many sessions the final model was fitted on.
        number: the number of the training within the model, from 1.
    """
    artefact = write_artefact(models_root, model, manifest)
    named = {TRAINING_ID: manifest.training_id, MODEL: manifest.model, AS_OF: manifest.as_of}
    explained = predicted.explained if predicted.explained is not None and predicted.explained.height else None
    return Training(
        trainings=_training_row(manifest, artefact, sessions, number),
        out_of_fold=_rows_of(tables.OUT_OF_FOLD_PREDICTIONS, named, predicted.out_of_fold).sort(SESSION, SYMBOL),
        scores=_rows_of(
            tables.MODEL_METRICS,
            named,
            metrics_by_part(predicted.out_of_fold, predicted.in_sample, target_kind(manifest.target).ranked_against),
        ),
        shap_values=_rows_of(tables.SHAP_VALUES, named, explained),
        importance=_rows_of(tables.FEATURE_IMPORTANCE, named, None if explained is None else importances(explained)),
        trials=_rows_of(tables.TRIALS, named, predicted.trials),
        return_calibrations=_rows_of(tables.RETURN_CALIBRATIONS, named, _by_horizon(predicted.calibration)),
    )


def _by_horizon(calibration: Calibration) -> pl.DataFrame:
    found = {name: kind for name, kind in tables.RETURN_CALIBRATIONS.dtypes.items() if name not in (TRAINING_ID, MODEL, AS_OF)}
    return pl.DataFrame(list(calibration.by_horizon), schema=found)


def recorded(models_root: Path, fitted: Fitted, predicted: TrainingPredictions, held: Sequence[str]) -> tuple[Training, Manifest]:
    """Write the artefact of a final model, and make its rows and its manifest.

    Args:
        models_root: the folder of all artefacts.
        fitted: the final model.
        predicted: its scores, explanations and trials.
        held: names of the model's trainings in the order in which they were made.
    """
    manifest = manifest_of(fitted, predicted, held)
    number = 1 + (held.index(manifest.training_id) if manifest.training_id in held else len(held))
    return record(models_root, fitted.model, manifest, predicted, fitted.sessions.n_unique(), number), manifest


def _rows_of(schema: TableSchema, named: Mapping[str, object], rows: pl.DataFrame | None) -> pl.DataFrame:
    if rows is None or rows.is_empty():
        return schema.empty()
    return rows.with_columns(pl.lit(value).alias(name) for name, value in named.items()).select(schema.column_names)


def _training_row(manifest: Manifest, artefact: Artefact, sessions: int, number: int) -> pl.DataFrame:
    row = {
        **vars(manifest),
        tables.NUMBER: number,
        "sessions": sessions,
        "features": len(manifest.features),
        "parameters": json.dumps(manifest.parameters, sort_keys=True),
        "artefact": artefact.path.as_posix(),
        "size_bytes": artefact.size_bytes,
        "sha256": artefact.sha256,
    }
    return pl.DataFrame([{name: row[name] for name in tables.TRAININGS.column_names}], schema=tables.TRAININGS.dtypes)
