"""Reading the record of the models in service: what they said out of fold before their time, and live since."""

import polars as pl

from stock_pipeline.core.columns import MODEL, SCORE, SESSION, SYMBOL, TRAINING_ID
from stock_pipeline.models.catalogue import ranking_models
from stock_pipeline.models.tables import OUT_OF_FOLD_PREDICTIONS
from stock_pipeline.performance.tables import LIVE, ORIGIN, OUT_OF_FOLD
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.registry.reading import active_versions
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

COLUMNS = (SESSION, SYMBOL, MODEL, TRAINING_ID, SCORE)


def predictions_on_record(stores: Stores) -> pl.DataFrame:
    """session, symbol, model, training_id, score and origin: live predictions, and out-of-fold ones of the active versions.

    Of the models that rank stocks: to a volatility ahead no return answers.
    """
    ranking = {MODEL: list(ranking_models())}
    versions = active_versions(stores)
    active = versions.filter(pl.col(MODEL).is_in(ranking[MODEL]))[TRAINING_ID].to_list()
    live = stores.read(DAILY_PREDICTIONS, Selection(columns=COLUMNS, equals=ranking))
    out_of_fold = stores.read(OUT_OF_FOLD_PREDICTIONS, Selection(columns=COLUMNS, equals={TRAINING_ID: active}))
    return pl.concat([live.with_columns(pl.lit(LIVE).alias(ORIGIN)), out_of_fold.with_columns(pl.lit(OUT_OF_FOLD).alias(ORIGIN))])
