"""A made-up panel of bars, the same on every machine."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN, SESSION, SYMBOL, VOLUME


def made_up_panel(symbols: int, sessions: int, seed: int = 0) -> pl.DataFrame:
    """Bars of random walks in whole cents: symbol, session, open, high, low, close, volume (Float64), one per symbol and weekday."""
    rng = np.random.default_rng(seed)
    shape = (symbols, sessions)
    days = [day for day in (date(2010, 1, 4) + timedelta(days=i) for i in range(2 * sessions)) if day.weekday() < 5][:sessions]
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=1))
    opening = close * np.exp(rng.normal(0, 0.005, shape))
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    columns = {
        OPEN: opening,
        HIGH: top * np.exp(np.abs(rng.normal(0, 0.004, shape))),
        LOW: bottom * np.exp(-np.abs(rng.normal(0, 0.004, shape))),
        CLOSE: close,
    }
    volume = np.round(np.exp(rng.normal(13, 0.5, shape)))
    columns = {name: np.round(price, 2) for name, price in columns.items()} | {VOLUME: volume}
    names = np.repeat([f"S{number:04d}" for number in range(symbols)], sessions)
    return pl.DataFrame({SYMBOL: names, SESSION: days * symbols} | {name: values.ravel() for name, values in columns.items()})
