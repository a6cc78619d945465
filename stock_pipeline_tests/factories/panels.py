"""Made-up panels of bars for tests: random, but the same on every run."""

from datetime import date

import numpy as np
import polars as pl

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import CLOSE, HIGH, JUMP, LOW, OPEN, SESSION, SYMBOL, VOLUME


def sessions(count: int, first: date = date(2012, 1, 3)) -> list[date]:
    """``count`` consecutive sessions of the New York Stock Exchange."""
    return trading_calendar("XNYS").sessions_between(first, date(first.year + count // 240 + 1, 12, 31))[:count]


def adjusted_panel(symbols: int = 8, count: int = 140, seed: int = 0, missing_share: float = 0.0) -> pl.DataFrame:
    """Adjusted bars: symbol, session, open, high, low, close, volume (Float64) and jump, sorted by symbol and session.

    ``missing_share`` drops that share of the rows, as real panels lack symbol-days.
    """
    rng = np.random.default_rng(seed)
    days = sessions(count)
    frames = []
    for i in range(symbols):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, count)))
        opening = close * np.exp(rng.normal(0, 0.005, count))
        top, bottom = np.maximum(opening, close), np.minimum(opening, close)
        frames.append(
            pl.DataFrame(
                {
                    SYMBOL: [f"S{i:02d}"] * count,
                    SESSION: days,
                    OPEN: opening,
                    HIGH: top * np.exp(np.abs(rng.normal(0, 0.004, count))),
                    LOW: bottom * np.exp(-np.abs(rng.normal(0, 0.004, count))),
                    CLOSE: close,
                    VOLUME: np.round(np.exp(rng.normal(13, 0.5, count))),
                    JUMP: [False] * count,
                }
            )
        )
    panel = pl.concat(frames)
    keep = pl.Series(rng.random(panel.height) >= missing_share)
    return panel.filter(keep)
