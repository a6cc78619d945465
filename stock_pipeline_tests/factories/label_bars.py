"""Made-up bars to label, and labels worked out row by row, from their definition."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from math import isfinite, log
from statistics import stdev

import numpy as np
import polars as pl

from stock_pipeline.core.columns import CLOSE, JUMP, OPEN, SESSION, SUSPECT, SYMBOL, VOLUME
from stock_pipeline_tests.factories.panels import sessions

DAYS = sessions(200)
OPENS = [100.0, 50.0, 55.0, 44.0, 44.0]

Row = tuple[float | None, str, date]  # the label, its outcome, and when that is known


def panel(
    opens: Sequence[float],
    closes: Sequence[float] | None = None,
    jumps: Sequence[int] = (),
    symbol: str = "A",
    suspects: Sequence[int] = (),
    untraded: Sequence[int] = (),
) -> pl.DataFrame:
    """Consecutive bars; ``jumps``, ``suspects`` and ``untraded`` are the positions of those that jump, are doubted or have no volume."""
    count = len(opens)
    return pl.DataFrame(
        {
            SYMBOL: [symbol] * count,
            SESSION: DAYS[:count],
            OPEN: [float(value) for value in opens],
            CLOSE: [float(value) for value in closes or opens],
            VOLUME: [0.0 if position in untraded else 100.0 for position in range(count)],
            JUMP: [position in jumps for position in range(count)],
            SUSPECT: [position in suspects for position in range(count)],
        }
    )


def without(bars: pl.DataFrame, *positions: int) -> pl.DataFrame:
    """The bars without those of some sessions."""
    return bars.filter(~pl.col(SESSION).is_in([DAYS[position] for position in positions]))


def scattered(seed: int, symbols: int = 3, count: int = 25) -> pl.DataFrame:
    """Random bars: some are missing, some jump, are doubted or have no volume, and some have a price that cannot be."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(symbols):
        opens, closes = rng.lognormal(3, 0.1, (2, count)).tolist()
        jumps, suspects, untraded = (np.flatnonzero(rng.random(count) < share).tolist() for share in (0.1, 0.07, 0.07))
        frames.append(panel(opens, closes, jumps, f"S{i}", suspects, untraded))
    bars = pl.concat(frames)
    broken = pl.Series(rng.random(bars.height) < 0.05)
    impossible = pl.Series(rng.choice([0.0, -1.0, float("nan"), float("inf")], bars.height))
    return bars.with_columns(pl.when(broken).then(impossible).otherwise(name).alias(name) for name in (OPEN, CLOSE)).filter(
        pl.Series(rng.random(bars.height) < 0.85)
    )


def return_by_hand(bars: pl.DataFrame, symbol: str, session: date, as_of: date, horizon: int) -> Row:
    """The forward return of one row, looked up bar by bar."""
    held = {row[SESSION]: row for row in bars.filter(pl.col(SYMBOL) == symbol).iter_rows(named=True)}
    at = DAYS.index(session)
    fill, *_, end = ahead = DAYS[at + 1 : at + 2 + horizon]
    if end > as_of:
        return None, "pending", end
    prices = [held[day][OPEN] for day in (fill, end) if day in held and (held[day][SUSPECT] or _is_price(held[day][OPEN]))]
    if len(prices) < 2:
        return None, "no_bar", end
    if any(held[day][SUSPECT] for day in ahead if day in held):
        return None, "suspect", end
    if held[fill][VOLUME] == 0 or held[end][VOLUME] == 0:
        return None, "no_volume", end
    if any(held[day][JUMP] for day in ahead[1:] if day in held):
        return None, "jump", end
    return prices[1] / prices[0] - 1, "known", end


def volatility_by_hand(bars: pl.DataFrame, symbol: str, session: date, as_of: date, horizon: int) -> Row:
    """The forward volatility of one row, looked up bar by bar."""
    held = {row[SESSION]: row for row in bars.filter(pl.col(SYMBOL) == symbol).iter_rows(named=True)}
    at = DAYS.index(session)
    days = DAYS[at : at + 1 + horizon]
    if days[-1] > as_of:
        return None, "pending", days[-1]
    closes = [held[day][CLOSE] for day in days if day in held and (held[day][SUSPECT] or _is_price(held[day][CLOSE]))]
    if len(closes) < len(days):
        return None, "no_bar", days[-1]
    if any(held[day][SUSPECT] for day in days):
        return None, "suspect", days[-1]
    if any(held[day][JUMP] for day in days[1:]):
        return None, "jump", days[-1]
    return stdev(log(later / earlier) for earlier, later in pairwise(closes)), "known", days[-1]


def _is_price(price: float) -> bool:
    return isfinite(price) and price > 0
