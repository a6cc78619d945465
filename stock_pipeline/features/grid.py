"""Segments on the grid of sessions, and the series from which the features are made.

Real panels lack some symbol-days. On the grid a window of 20 rows is a window of 20 sessions, whatever is missing.
"""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.features.bars import FILL_SESSIONS, PLACE, RETURN
from stock_pipeline.features.market import MARKET_RETURN
from stock_pipeline.features.segments import EMPTY_BEFORE, SEGMENT, TARGET

AGE: Final = "age"  # sessions since the row's prices were made: 0 on a real bar, negative on the empty rows before the first one
LOG_RETURN: Final = "log_return"
TYPICAL: Final = "typical_price"  # mean of high, low and close
TRUE_RANGE: Final = "true_range"
DOLLAR_VOLUME: Final = "dollar_volume"
WEEKDAY: Final = "weekday"  # of the row's own session: 1 is Monday, 7 Sunday


def on_grid(segments: pl.DataFrame, market: pl.DataFrame) -> pl.DataFrame:
    """The segments with a row for every session from the first that a window may reach until their last bar, and the derived series.

    Prices are carried forward by at most ``FILL_SESSIONS`` sessions, so that the return is 0 there; volume is not.

    Args:
        segments: a frame of ``segments.segments``.
        market: what ``market.market_series`` returns.

    Returns:
        Rows in the order of segment and session: symbol, session, place, prices, volume, simple_return, age, target, the series that
        are named above and the market's return. Rows of another age than 0 bear the session of the bar that they were made from,
        but their own place and weekday.
    """
    first = pl.col(SEGMENT).ne_missing(pl.col(SEGMENT).shift(1))
    gap = pl.when(pl.col(SEGMENT) == pl.col(SEGMENT).shift(-1)).then(pl.col(PLACE).shift(-1) - pl.col(PLACE)).otherwise(1)
    grid = (
        segments.select(SYMBOL, SESSION, PLACE, *PRICES, VOLUME, RETURN, TARGET, SEGMENT, EMPTY_BEFORE)
        .with_columns(pl.int_ranges(pl.when(first).then(-pl.col(EMPTY_BEFORE)).otherwise(0), gap).alias(AGE))
        .explode(AGE)
        .with_columns(
            pl.col(PLACE) + pl.col(AGE),
            *(pl.when(pl.col(AGE).is_between(0, FILL_SESSIONS)).then(price).alias(price) for price in PRICES),
            pl.when(pl.col(AGE) == 0).then(VOLUME).alias(VOLUME),
            pl.when(pl.col(AGE) == 0).then(RETURN).when(pl.col(AGE).is_between(1, FILL_SESSIONS)).then(0.0).alias(RETURN),
        )
    )
    return grid.with_columns(*_derived(), *_of_session(market)).drop(SEGMENT, EMPTY_BEFORE)


def _derived() -> list[pl.Expr]:
    high, low, close = pl.col(HIGH), pl.col(LOW), pl.col(CLOSE)
    previous = close.shift(1)
    true_high = pl.when(high > previous).then(high).otherwise(previous)
    true_low = pl.when(low < previous).then(low).otherwise(previous)
    return [
        (close / previous).log().alias(LOG_RETURN),
        ((high + low + close) / 3).alias(TYPICAL),
        (true_high - true_low).alias(TRUE_RANGE),
        (close * pl.col(VOLUME)).alias(DOLLAR_VOLUME),
    ]


def _of_session(market: pl.DataFrame) -> list[pl.Expr]:
    place = pl.when(pl.col(PLACE) >= 0).then(PLACE)
    return [pl.lit(series).gather(place) for series in (market[MARKET_RETURN], market[SESSION].dt.weekday().alias(WEEKDAY))]
