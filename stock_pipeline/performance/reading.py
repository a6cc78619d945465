"""Reading the predictions of the active versions (out of fold before they were active, live since), and those of every version."""

from collections.abc import Iterator, Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import MODEL, SCORE, SESSION, SYMBOL, TRAINING_ID, VERSION
from stock_pipeline.models.catalogue import ranking_models
from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS, TRAININGS
from stock_pipeline.performance.outcomes import KIND
from stock_pipeline.performance.tables import LIVE, ORIGIN, OUT_OF_FOLD
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.registry.reading import active_versions, serving_predictions
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

# What the record is read from; of the last two only what the registry has admitted.
RECORD_TABLES = (DAILY_PREDICTIONS, MODEL_VERSIONS)
ADMITTED_TABLES = (TRAININGS, OUT_OF_FOLD_PREDICTIONS)

COLUMNS = (SESSION, SYMBOL, MODEL, TRAINING_ID, SCORE)


def predictions_on_record(stores: Stores, night: date | None = None) -> Iterator[pl.DataFrame]:
    """The live predictions, and the out-of-fold ones of the active version, of each model that ranks stocks.

    Args:
        stores: the stores.
        night: the session on whose night the record is read; None: now.

    Yields:
        session, symbol, model, training_id, score and origin of one model, in the order of their names; none of a model without any.
    """
    versions = active_versions(stores, night)
    for model in sorted(ranking_models()):
        active = versions.filter(pl.col(MODEL) == model)[TRAINING_ID].to_list()
        out_of_fold = stores.read(OUT_OF_FOLD_PREDICTIONS, Selection(columns=COLUMNS, equals={TRAINING_ID: active}))
        origins = {LIVE: live_predictions(stores, night, (model,)), OUT_OF_FOLD: out_of_fold}
        rows = pl.concat(rows.with_columns(pl.lit(origin).alias(ORIGIN)) for origin, rows in origins.items())
        if rows.height:
            yield rows


def live_predictions(stores: Stores, last: date | None = None, models: Sequence[str] | None = None) -> pl.DataFrame:
    """The live predictions up to the session ``last`` of models that rank stocks: those of each session's active version.

    Shadow versions are left out; see ``registry.reading.serving_predictions``.

    Args:
        stores: the stores.
        last: the last session; None takes all.
        models: which models; None takes every one that ranks stocks.

    Returns:
        session, symbol, model, training_id and score, sorted by model, session and symbol.
    """
    ranking = {MODEL: list(ranking_models() if models is None else models)}
    predictions = stores.read(DAILY_PREDICTIONS, Selection(columns=(*COLUMNS, VERSION), last=last, equals=ranking))
    return serving_predictions(stores.read(MODEL_VERSIONS), predictions).select(COLUMNS).sort(MODEL, SESSION, SYMBOL)


def predictions_of_every_version(stores: Stores, first: date, last: date) -> pl.DataFrame:
    """The live predictions of every version of every model from the session ``first`` to ``last``, whether or not it was active.

    Returns:
        session, symbol, model, training_id, version, score and kind (of the target that the version learned).
    """
    predictions = stores.read(DAILY_PREDICTIONS, Selection(columns=(*COLUMNS, VERSION), first=first, last=last))
    kinds = stores.read(TRAININGS, Selection(columns=(TRAINING_ID, "target"))).rename({"target": KIND})
    return predictions.join(kinds, on=TRAINING_ID, how="inner")
