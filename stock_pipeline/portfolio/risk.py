"""Recent volatility and liquidity of each stock."""

from datetime import date
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, SESSION, SYMBOL, VOLUME

VOLATILITY: Final = "volatility"
DOLLAR_VOLUME: Final = "dollar_volume"

WINDOW = 20  # sessions
FEWEST_RETURNS = 10
SESSIONS_A_YEAR = 252


def risk_figures(panel: pl.DataFrame, session: date) -> pl.DataFrame:
    """Close, volatility and dollar volume of each stock that traded on ``session``, from the last 20 sessions of bars.

    A return into or out of a session without a close, as on suspect bars, does not count.

    Args:
        panel: symbol, session, close, volume (shares); later sessions are not looked at. The closes are adjusted backwards from
            ``session``, so the last of them is the price that was traded, and a split within the window is no return.
        session: the session after whose close the figures hold.

    Returns:
        symbol, close, volatility (standard deviation of 20 daily log returns times the root of 252, as a fraction; null below
        10 returns between consecutive sessions) and dollar_volume (median of close times volume), sorted by symbol.
    """
    # One session more than the window: the first return of the window starts at the close before it.
    days = panel.filter(pl.col(SESSION) <= session).select(SESSION).unique().sort(SESSION).tail(WINDOW + 1)
    days = days.with_columns(pl.int_range(pl.len()).alias("_place"))
    bars = panel.select(SYMBOL, SESSION, CLOSE, VOLUME).join(days, on=SESSION).sort(SYMBOL, SESSION)
    consecutive = pl.col("_place").diff().over(SYMBOL) == 1
    log_return = pl.when(consecutive).then(pl.col(CLOSE).log().diff().over(SYMBOL))
    in_window = pl.col("_place") >= days.height - WINDOW
    volatility = pl.col("_return").std() * SESSIONS_A_YEAR**0.5
    return (
        bars.with_columns(log_return.alias("_return"))
        .filter(in_window)
        .group_by(SYMBOL)
        .agg(
            pl.col(SESSION).last(),
            pl.col(CLOSE).last().cast(pl.Float64),
            pl.when(pl.col("_return").count() >= FEWEST_RETURNS).then(volatility).alias(VOLATILITY),
            (pl.col(CLOSE) * pl.col(VOLUME)).median().cast(pl.Float64).alias(DOLLAR_VOLUME),
        )
        .filter(pl.col(SESSION) == session)
        .drop(SESSION)
        .sort(SYMBOL)
    )
