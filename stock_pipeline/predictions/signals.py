"""From scores to signals."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import MODEL, PREDICTED_EXCESS_RETURN, RANK, SCORE, SESSION, SYMBOL, TRAINING_ID, VERSION
from stock_pipeline.core.cross_section import in_best_share, in_worst_share
from stock_pipeline.core.errors import InputError, SchemaError
from stock_pipeline.predictions.tables import BUY, HOLD, NEXT_SESSION, SELL, SIGNAL, SIGNALS


def signals(predictions: pl.DataFrame, next_session: date, share: float = 0.1) -> pl.DataFrame:
    """Buy the best ``share`` of the stocks, sell the worst, hold the rest.

    A stock that is among both (one stock alone, or tied scores) is held, so a model that tells no stocks apart moves nothing.

    Args:
        predictions: rows of ``DAILY_PREDICTIONS``, those of one training and one session.
        next_session: the session at whose open the signals are meant to be filled.
        share: part of the stocks to buy, and to sell; above 0, at most 0.5.

    Returns:
        Rows of ``SIGNALS``, best first.

    Raises:
        InputError: ``share`` is out of range.
        SchemaError: the predictions mix trainings or sessions, or ``next_session`` does not lie after them.
    """
    if not 0 < share <= 0.5:
        raise InputError(f"the share {share} of stocks to buy and to sell is out of range; give one above 0 and at most 0.5")
    if predictions.is_empty():
        return SIGNALS.empty()
    _check_one_night(predictions, next_session)
    best, worst = in_best_share(SCORE, share), in_worst_share(SCORE, share)
    signal = pl.when(best & ~worst).then(pl.lit(BUY)).when(worst & ~best).then(pl.lit(SELL)).otherwise(pl.lit(HOLD))
    return predictions.select(
        SESSION,
        pl.lit(next_session, pl.Date).alias(NEXT_SESSION),
        SYMBOL,
        MODEL,
        VERSION,
        signal.alias(SIGNAL),
        SCORE,
        RANK,
        PREDICTED_EXCESS_RETURN,
    ).sort(RANK, SYMBOL)


def _check_one_night(predictions: pl.DataFrame, next_session: date) -> None:
    nights = predictions.select(MODEL, TRAINING_ID, SESSION).unique().sort(MODEL, TRAINING_ID, SESSION)
    if nights.height > 1:
        raise SchemaError(f"signals need the predictions of one training on one session, not of {nights.height}: {nights.rows()[:3]}")
    session = nights[SESSION][0]
    if next_session <= session:
        raise SchemaError(f"signals made after the close of {session} cannot be filled on {next_session}, which is not later")
