"""The panel on the grid of symbols x sessions, and the series from which the features are made.

Real panels lack some symbol-days. On the grid a window of 20 rows is a window of 20 sessions, whatever is missing.
"""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.core.errors import InputError

FILL_SESSIONS: Final = 5  # a stock's last prices stand for at most this many sessions without a bar

AGE: Final = "age"  # sessions since the row's prices were made: 0 on a real bar, negative on the empty rows before the first one
RETURN: Final = "simple_return"  # close to close
LOG_RETURN: Final = "log_return"
TYPICAL: Final = "typical_price"  # mean of high, low and close
TRUE_RANGE: Final = "true_range"
DOLLAR_VOLUME: Final = "dollar_volume"
MARKET_RETURN: Final = "market_return"  # equal-weighted mean return of the stocks with a bar in the session

_PLACE: Final = "place"  # number of the session among the panel's
_TICK: Final = 2.0**-36


def on_grid(panel: pl.DataFrame, padding: int) -> pl.DataFrame:
    """The panel with a row for every session between a symbol's first bar and its last, and the derived series.

    Prices are carried forward by at most ``FILL_SESSIONS`` sessions, volume is not. A bar with a price that is not a positive
    number is treated as missing, a volume that is not a number of zero or more as null.

    Args:
        panel: symbol, session, open, high, low, close, volume; at most one row per symbol and session, in any order.
        padding: number of empty rows to put before each symbol's first bar; at least the rows that any window reaches back.

    Returns:
        Rows in the order of symbol and session: symbol, session, prices, volume, age, and the series that are named above. Rows
        of another age than 0 bear the session of the bar that they were made from.

    Raises:
        InputError: a symbol has two bars in one session.
    """
    bars = (
        panel.select(SYMBOL, SESSION, *PRICES, VOLUME, pl.col(SESSION).rank("dense").cast(pl.Int64).alias(_PLACE))
        .filter(pl.all_horizontal((pl.col(price) > 0) & pl.col(price).is_finite() for price in PRICES))
        .sort(SYMBOL, SESSION)
        .with_columns(pl.when((pl.col(VOLUME) >= 0) & pl.col(VOLUME).is_finite()).then(VOLUME).alias(VOLUME))
    )
    gap = (pl.col(_PLACE).shift(-1) - pl.col(_PLACE)).over(SYMBOL)
    _refuse_duplicates(bars.filter(gap == 0))
    first = pl.col(_PLACE).shift(1).over(SYMBOL).is_null()
    grid = (
        bars.with_columns(pl.int_ranges(pl.when(first).then(-padding).otherwise(0), gap.fill_null(1)).alias(AGE))
        .explode(AGE)
        .with_columns(
            pl.col(_PLACE) + pl.col(AGE),
            *(pl.when(pl.col(AGE).is_between(0, FILL_SESSIONS)).then(price).alias(price) for price in PRICES),
            pl.when(pl.col(AGE) == 0).then(VOLUME).alias(VOLUME),
        )
    )
    return grid.with_columns(*_derived()).with_columns(_market_return()).drop(_PLACE)


def _refuse_duplicates(repeated: pl.DataFrame) -> None:
    if repeated.height:
        symbol, session = repeated.select(SYMBOL, SESSION).row(0)
        raise InputError(f"{symbol} has two bars in the panel for session {session}; keep one bar per symbol and session")


def _derived() -> list[pl.Expr]:
    high, low, close = pl.col(HIGH), pl.col(LOW), pl.col(CLOSE)
    previous = close.shift(1)
    true_high = pl.when(high > previous).then(high).otherwise(previous)
    true_low = pl.when(low < previous).then(low).otherwise(previous)
    return [
        (close / previous - 1).alias(RETURN),
        (close / previous).log().alias(LOG_RETURN),
        ((high + low + close) / 3).alias(TYPICAL),
        (true_high - true_low).alias(TRUE_RANGE),
        (close * pl.col(VOLUME)).alias(DOLLAR_VOLUME),
    ]


def _market_return() -> pl.Expr:
    # Only stocks with a real bar count: that a stock without one goes on trading shows only in its later bars. The mean is taken
    # over whole numbers, whose sum does not depend on the order in which threads add them up.
    ticks = pl.when(pl.col(AGE) == 0).then((pl.col(RETURN).clip(-100, 100) / _TICK).round().cast(pl.Int64))
    count = ticks.count().over(_PLACE)
    return pl.when(count > 0).then(ticks.sum().over(_PLACE) / count * _TICK).alias(MARKET_RETURN)
