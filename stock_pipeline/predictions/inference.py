"""Inference: loading versions and predicting the stocks of one session."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from stock_pipeline.core.columns import (
    MODEL,
    PREDICTED_EXCESS_RETURN,
    PREDICTED_VOLATILITY,
    PROBABILITY_UP,
    RANK,
    SCORE,
    SESSION,
    SYMBOL,
    TRAINING_ID,
    VERSION,
)
from stock_pipeline.core.errors import InputError
from stock_pipeline.models.reading import Predictor, load_predictor
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, EXPLANATIONS

_UNKNOWN: Final = pl.lit(None, pl.Float64)


@dataclass(frozen=True)
class LoadedVersion:
    """An active or shadow version, loaded."""

    version: int
    training_id: str
    predictor: Predictor


def load_version(
    models_root: Path,
    row: Mapping[str, object],
    recorded: Mapping[str, str],
    off: frozenset[str] = frozenset(),
    report_progress: Callable[[str], None] = lambda _note: None,
) -> LoadedVersion:
    """Load a version, its artefacts checked against their hashes; see ``models.reading.load_predictor``.

    Args:
        models_root: the folder of all artefacts.
        row: the version with the columns of its training, as ``registry.reading`` gives it.
        recorded: the hash of the manifest of every training, by its training_id, as the table recorded it.
        off: names of the models that are disabled.
        report_progress: called with a line about each member that is damaged.

    Raises:
        ArtefactError: an artefact, or that of every member, is missing or not the one that was written.
    """
    predictor = load_predictor(models_root / str(row["artefact"]), str(row["sha256"]), recorded, off, report_progress)
    return LoadedVersion(int(str(row[VERSION])), str(row[TRAINING_ID]), predictor)


def predict(loaded: LoadedVersion, inputs: pl.DataFrame, session: date, past_volatility: pl.DataFrame) -> pl.DataFrame:
    """The version's predictions of every stock of a session: rows of DAILY_PREDICTIONS.

    Args:
        loaded: the version.
        inputs: symbol, session and the features as models see them with the exposures (see ``datasets.reading.read_inputs``), of the
            session and as many before it as ``loaded.predictor.window`` asks for.
        session: the session to predict after.
        past_volatility: symbol, session and past_volatility, for the volatility ahead.

    Raises:
        InputError: the version learned from features that are not among the inputs.
    """
    _refuse_missing(loaded, inputs.columns)
    score = pl.col(SCORE)
    rank = score.rank("min", descending=True).over(SESSION)
    scores = loaded.predictor.score(inputs, session).drop_nulls(SCORE).join(past_volatility, on=[SYMBOL, SESSION], how="left")
    kind = loaded.predictor.kind
    meanings = dict.fromkeys((PREDICTED_EXCESS_RETURN, PREDICTED_VOLATILITY, PROBABILITY_UP), _UNKNOWN) | {kind.prediction: kind.predict}
    return (
        scores.with_columns(pl.lit(number, pl.Float64).alias(name) for name, number in loaded.predictor.calibration.items())
        .select(
            SESSION,
            SYMBOL,
            pl.lit(loaded.predictor.model).alias(MODEL),
            pl.lit(loaded.training_id).alias(TRAINING_ID),
            pl.lit(loaded.version, pl.Int32).alias(VERSION),
            SCORE,
            rank.cast(pl.Int32).alias(RANK),
            *(meaning.alias(name) for name, meaning in meanings.items()),
        )
        .select(DAILY_PREDICTIONS.column_names)
    )


def explanations(loaded: LoadedVersion, inputs: pl.DataFrame, session: date, count: int) -> pl.DataFrame:
    """The ``count`` features that moved each score of a session the most: rows of EXPLANATIONS; none where the model has none.

    A stack has none here: it is explained by its members.

    Args:
        loaded, inputs, session: as for ``predict``.
        count: features for each stock.
    """
    explained = loaded.predictor.explain(inputs, session, count)
    if explained is None:
        return EXPLANATIONS.empty()
    named = {MODEL: loaded.predictor.model, TRAINING_ID: loaded.training_id}
    return explained.with_columns(pl.lit(value).alias(name) for name, value in named.items()).select(EXPLANATIONS.column_names)


def _refuse_missing(loaded: LoadedVersion, there: Sequence[str]) -> None:
    missing = sorted(loaded.predictor.inputs - set(there))
    if missing:
        raise InputError(
            f"version {loaded.version} of {loaded.predictor.model} learned from {len(missing)} features that are not made now, "
            f"{missing[0]} among them; train the models again (materialise the group models), or set features.set to the set that they "
            "were trained on"
        )
