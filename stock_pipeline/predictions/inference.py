"""Inference: what the versions in service say of the stocks of one session."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import (
    MODEL,
    PREDICTED_RETURN,
    PREDICTED_VOLATILITY,
    PROBABILITY_UP,
    RANK,
    RETURN_SCALE,
    SCORE,
    SESSION,
    SYMBOL,
    TRAINING_ID,
    VERSION,
)
from stock_pipeline.core.errors import ArtefactError, InputError
from stock_pipeline.datasets.catalogue import TargetKind, target_kind
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.artefacts import artefact_path, check_artefact, load_estimator, load_stack, read_manifest
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.explanations import explain, strongest
from stock_pipeline.models.scoring import freed
from stock_pipeline.models.stacking import StackedModel, combine
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPLANATIONS

_UNKNOWN: Final = pl.lit(None, pl.Float64)


@dataclass(frozen=True)
class Learner:
    """A base model, loaded, with what its manifest tells of its scores."""

    estimator: Estimator
    exposures: tuple[str, ...]


@dataclass(frozen=True)
class Service:
    """A version in service, loaded: a stack with its members, or a base model, which is then the only member."""

    model: str
    version: int
    training_id: str
    target: TargetKind
    return_scale: float | None
    stack: StackedModel | None
    members: Mapping[str, Learner]

    @property
    def window(self) -> int:
        """Sessions of features that a score rests on."""
        return max(member.estimator.window for member in self.members.values())


def load_service(
    models_root: Path, row: Mapping[str, object], off: frozenset[str] = frozenset(), say: Callable[[str], None] = lambda _note: None
) -> Service:
    """Load a version, its artefacts checked against their hashes.

    A stack goes on without the members that are switched off or damaged.

    Args:
        models_root: the folder of the artefacts.
        row: a version with the columns of its training, as ``registry.reading`` gives it.
        off: models that are switched off.
        say: told of each member that is damaged.

    Raises:
        ArtefactError: an artefact, or that of every member, is missing or not the one that was written.
    """
    folder = models_root / str(row["artefact"])
    manifest = check_artefact(folder, str(row["sha256"]))
    stack = load_stack(folder) if row[MODEL] == STACK else None
    members = {manifest.model: _learner(folder)} if stack is None else _members(models_root, stack, off, say)
    if stack is not None:
        stack = replace(stack, weights={name: weight for name, weight in stack.weights.items() if name in members})
    return Service(
        model=str(row[MODEL]),
        version=int(str(row[VERSION])),
        training_id=str(row[TRAINING_ID]),
        target=target_kind(manifest.target),
        return_scale=manifest.metrics.get(RETURN_SCALE),
        stack=stack,
        members=members,
    )


def _members(models_root: Path, stack: StackedModel, off: frozenset[str], say: Callable[[str], None]) -> dict[str, Learner]:
    found, damage = dict[str, Learner](), "every member is switched off"
    for name, training in stack.members.items():
        if name not in off:
            try:
                found[name] = _learner(models_root / artefact_path(name, training))
            except ArtefactError as error:
                damage = str(error)
                say(f"the stack goes on without {name}: {damage}")
    if not found:
        raise ArtefactError(f"the stack has no member left: {damage}")
    return found


def _learner(folder: Path) -> Learner:
    manifest = read_manifest(folder)
    return Learner(load_estimator(folder), manifest.exposures)


def predict(service: Service, inputs: pl.DataFrame, session: date, past_volatility: pl.DataFrame) -> pl.DataFrame:
    """What the version says of every stock of a session: rows of DAILY_PREDICTIONS.

    Args:
        service: the loaded version.
        inputs: symbol, session and the features as models see them with the exposures (see ``datasets.reading.read_inputs``), of the
            session and as many before it as ``service.window`` asks for.
        session: which.
        past_volatility: symbol, session and past_volatility, for the volatility ahead.

    Raises:
        InputError: the version learned from features that are not among the inputs.
    """
    _refuse_missing(service, inputs.columns)
    score = pl.col(SCORE)
    rank = score.rank("min", descending=True).over(SESSION)
    ordered = inputs.sort(SESSION, SYMBOL)
    told = _scores(service, ordered, session).drop_nulls(SCORE).join(past_volatility, on=[SYMBOL, SESSION], how="left")
    kind = service.target
    meanings = dict.fromkeys((PREDICTED_RETURN, PREDICTED_VOLATILITY, PROBABILITY_UP), _UNKNOWN) | {kind.prediction: kind.predict()}
    return (
        told.with_columns(pl.lit(service.return_scale, pl.Float64).alias(RETURN_SCALE))
        .select(
            SESSION,
            SYMBOL,
            pl.lit(service.model).alias(MODEL),
            pl.lit(service.training_id).alias(TRAINING_ID),
            pl.lit(service.version, pl.Int32).alias(VERSION),
            SCORE,
            rank.cast(pl.Int32).alias(RANK),
            *(meaning.alias(name) for name, meaning in meanings.items()),
        )
        .select(DAILY_PREDICTIONS.column_names)
    )


def explanations(service: Service, inputs: pl.DataFrame, session: date, count: int) -> pl.DataFrame:
    """The ``count`` features that moved each score of a session the most: rows of EXPLANATIONS; none where the model cannot tell.

    Arguments as for ``predict``; a stack is explained by its members.
    """
    if service.stack is not None:
        return EXPLANATIONS.empty()
    (learner,) = service.members.values()
    ordered = inputs.sort(SESSION, SYMBOL)
    samples = Samples.of(ordered, learner.estimator.feature_names)
    explained = explain(learner.estimator, ordered, samples.take((ordered[SESSION] == session).to_numpy()))
    named = {MODEL: service.model, TRAINING_ID: service.training_id}
    told = strongest(explained, count).with_columns(pl.lit(value).alias(name) for name, value in named.items())
    return told.select(EXPLANATIONS.column_names)


def _refuse_missing(service: Service, there: Sequence[str]) -> None:
    needed = {name for member in service.members.values() for name in (*member.estimator.feature_names, *member.exposures)}
    missing = sorted(needed - set(there))
    if missing:
        raise InputError(
            f"version {service.version} of {service.model} learned from {len(missing)} features that are not made now, {missing[0]} among "
            "them; train the models again (materialise the group models), or set features.set to the set that they were trained on"
        )


def _scores(service: Service, ordered: pl.DataFrame, session: date) -> pl.DataFrame:
    rows = ordered.filter(pl.col(SESSION) == session)
    told = rows.select(SESSION, SYMBOL).with_columns(_score_of_each(service.members, ordered, rows, session))
    return told.rename({service.model: SCORE}) if service.stack is None else combine(told, service.stack.weights, service.stack.scale)


def _score_of_each(members: Mapping[str, Learner], ordered: pl.DataFrame, rows: pl.DataFrame, session: date) -> list[pl.Series]:
    """A column of scores for each member; what they share is made once."""
    tonight = (ordered[SESSION] == session).to_numpy()
    samples = {names: Samples.of(ordered, names).take(tonight) for names in {m.estimator.feature_names for m in members.values()}}
    said = {name: member.estimator.predict(samples[member.estimator.feature_names]) for name, member in members.items()}
    columns = []
    for exposures in {member.exposures: None for member in members.values()}:
        names = [name for name, member in members.items() if member.exposures == exposures]
        scores = np.column_stack([said[name] for name in names])
        if exposures:
            scores = freed(scores, rows.select(exposures).to_numpy(), np.zeros(len(scores), dtype=np.int64))
        columns += [pl.Series(name, scores[:, place]) for place, name in enumerate(names)]
    return columns
