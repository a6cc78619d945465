"""The assets of the predictions and of the signals made from them."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import MODEL, RANK, SESSION, TRAINING_ID
from stock_pipeline.datasets.training_panel import rank_within_session
from stock_pipeline.features.catalogue import feature_names
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.predictions.inference import load_service, predict
from stock_pipeline.predictions.pictures import prediction_bars
from stock_pipeline.predictions.signals import signals
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, SIGNAL, SIGNALS
from stock_pipeline.registry.reading import versions_in_service
from stock_pipeline.registry.tables import MODEL_VERSIONS
from stock_pipeline.storage import Write
from stock_pipeline.storage.reading import Selection


def make_predictions(night: Night) -> Product | None:
    """Predict each session with the versions that were in service on its night, the first time the last session alone.

    A prediction once made stands. Only the session of the run is predicted again when another version has come into service.
    """
    features = night.read(DAILY_FEATURES, Selection(first=_first_session(night), last=night.as_of))
    ranked = rank_within_session(features, feature_names())
    made = [part for (session,), rows in ranked.group_by(SESSION, maintain_order=True) for part in _missing(night, session, rows)]
    if not made:
        return None if night.is_up_to_date else Product(writes=(), watermark=night.as_of)
    predictions = pl.concat(made)
    return Product(
        writes=(Write(DAILY_PREDICTIONS, predictions, scope=(SESSION, TRAINING_ID)),),
        watermark=night.as_of,
        pictures={"predictions": prediction_bars(_best_model(predictions.filter(pl.col(SESSION) == predictions[SESSION].max())))},
        tables={"best": _best_model(predictions).sort(SESSION, RANK, descending=[True, False]).head(20)},
        facts={"sessions_predicted": predictions[SESSION].n_unique(), "models": predictions[MODEL].n_unique()},
    )


def make_signals(night: Night) -> Product | None:
    """Turn the stack's predictions into what to do at the next open; without a stack, those of the first model there is."""
    if not night.has_news((DAILY_PREDICTIONS,)):
        return None
    predictions = _best_model(night.read(DAILY_PREDICTIONS, Selection(first=_first_session(night), last=night.as_of)))
    if predictions.is_empty():
        return Product(writes=(), watermark=night.as_of)
    calendar = trading_calendar(night.settings.exchange)
    # A session predicted by two versions is traded by the one registered last.
    latest = predictions.filter(pl.col("version") == pl.col("version").max().over(SESSION))
    made = pl.concat(signals(rows, calendar.next_session(rows[SESSION][0])) for rows in latest.partition_by(SESSION))
    return Product(
        writes=(Write(SIGNALS, made, scope=(SESSION,)),),
        watermark=night.as_of,
        pictures={"signals": prediction_bars(made.filter(pl.col(SESSION) == made[SESSION].max()))},
        tables={"signals": made.group_by(SESSION, SIGNAL).len().sort(SESSION, SIGNAL, descending=[True, False])},
    )


def _first_session(night: Night) -> date:
    """The night of the run, or the first night that was missed before it; missed nights are made with what served then."""
    if night.watermark is None or night.watermark >= night.as_of:
        return night.as_of
    return trading_calendar(night.settings.exchange).next_session(night.watermark)


def _missing(night: Night, session: date, rows: pl.DataFrame) -> list[pl.DataFrame]:
    """The predictions of one session by the versions in service that have made none yet."""
    there = night.read(DAILY_PREDICTIONS, Selection(columns=(TRAINING_ID,), first=session, last=session))[TRAINING_ID].unique()
    wanted = versions_in_service(night.stores, session).filter(~pl.col(TRAINING_ID).is_in(there.implode()) | night.full_refresh)
    parts = []
    for row in wanted.iter_rows(named=True):
        night.say(f"{row[MODEL]} on {session}")
        parts.append(predict(load_service(night.models_root, row), rows))
    return parts


def _best_model(predictions: pl.DataFrame) -> pl.DataFrame:
    of_stack = predictions.filter(pl.col(MODEL) == STACK)
    return of_stack if of_stack.height else predictions.filter(pl.col(MODEL) == pl.col(MODEL).min())


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=(key_of(DAILY_PREDICTIONS),),
        description="What the versions in service say of every stock.",
        tables=(DAILY_PREDICTIONS,),
        depends_on=(key_of(DAILY_FEATURES), key_of(MODEL_VERSIONS)),
        body=make_predictions,
    ),
    StageAsset(
        keys=(key_of(SIGNALS),),
        description="What to buy and sell at the next open.",
        tables=(SIGNALS,),
        depends_on=(key_of(DAILY_PREDICTIONS),),
        body=make_signals,
    ),
)
