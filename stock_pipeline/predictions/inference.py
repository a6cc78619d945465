"""Inference: what the versions in service say of the stocks of one session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import MODEL, RANK, SCORE, SESSION, SYMBOL, TRAINING_ID, VERSION
from stock_pipeline.core.errors import InputError
from stock_pipeline.datasets.training_panel import matrix
from stock_pipeline.models.artefacts import artefact_path, check_artefact, load_estimator, load_stack
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.recording import RETURN_SCALE
from stock_pipeline.models.stacking import StackedModel, combine
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, PREDICTED_RETURN


@dataclass(frozen=True)
class Service:
    """A version in service, loaded: a base model, or a stack with its members."""

    model: str
    version: int
    training_id: str
    return_scale: float | None
    estimator: Estimator | None
    stack: StackedModel | None
    members: Mapping[str, Estimator]


def load_service(models_root: Path, row: Mapping[str, object]) -> Service:
    """Load a version, its artefacts checked against their hashes.

    Args:
        models_root: the folder of the artefacts.
        row: a version with the columns of its training, as ``registry.reading`` gives it.

    Raises:
        ArtefactError: an artefact is missing or not the one that was written.
    """
    folder = models_root / str(row["artefact"])
    manifest = check_artefact(folder, str(row["sha256"]))
    stack = load_stack(folder) if row[MODEL] == STACK else None
    members = {} if stack is None else {name: load_estimator(models_root / artefact_path(name, key)) for name, key in stack.members.items()}
    return Service(
        model=str(row[MODEL]),
        version=int(str(row[VERSION])),
        training_id=str(row[TRAINING_ID]),
        return_scale=manifest.metrics.get(RETURN_SCALE),
        estimator=load_estimator(folder) if stack is None else None,
        stack=stack,
        members=members,
    )


def predict(service: Service, inputs: pl.DataFrame) -> pl.DataFrame:
    """The version's score, rank and predicted return of every stock: rows of DAILY_PREDICTIONS.

    Args:
        service: the loaded version.
        inputs: symbol, session and the features as models see them (see ``datasets.model_inputs``), of one session or more.

    Raises:
        InputError: the version learned from features that are not among the inputs.
    """
    _refuse_missing(service, inputs.columns)
    score = pl.col(SCORE)
    rank = score.rank("min", descending=True).over(SESSION)
    return (
        _scores(service, inputs)
        .drop_nulls(SCORE)
        .select(
            SESSION,
            SYMBOL,
            pl.lit(service.model).alias(MODEL),
            pl.lit(service.training_id).alias(TRAINING_ID),
            pl.lit(service.version, pl.Int32).alias(VERSION),
            SCORE,
            rank.cast(pl.Int32).alias(RANK),
            (score * pl.lit(service.return_scale, pl.Float64)).alias(PREDICTED_RETURN),
        )
        .select(DAILY_PREDICTIONS.column_names)
    )


def _refuse_missing(service: Service, there: Sequence[str]) -> None:
    learners = service.members.values() if service.estimator is None else [service.estimator]
    missing = sorted({name for learner in learners for name in learner.feature_names} - set(there))
    if missing:
        raise InputError(
            f"version {service.version} of {service.model} learned from {len(missing)} features that are not made now, {missing[0]} among "
            "them; train the models again (materialise the group models), or set features.set to the set that they were trained on"
        )


def _scores(service: Service, inputs: pl.DataFrame) -> pl.DataFrame:
    rows = inputs.select(SESSION, SYMBOL)
    if service.estimator is not None:
        return rows.with_columns(_score_of(service.estimator, inputs).alias(SCORE))
    assert service.stack is not None  # noqa: S101  (a service without an estimator is a stack)
    wide = rows.with_columns(_score_of(member, inputs).alias(name) for name, member in service.members.items())
    return combine(wide, service.stack.weights)


def _score_of(estimator: Estimator, inputs: pl.DataFrame) -> pl.Series:
    return pl.Series(estimator.predict(matrix(inputs, estimator.feature_names)))
