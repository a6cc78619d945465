"""Features of the size of price moves: volatility by several estimators, ranges, the shape of the returns' distribution."""

from functools import partial
from math import log
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW
from stock_pipeline.features.bars import RETURN
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.grid import LOG_RETURN, TRUE_RANGE
from stock_pipeline.features.windows import deviation, highest, mean, skewness, wilder_mean, z_score

_HIGH, _LOW, _CLOSE = pl.col(HIGH), pl.col(LOW), pl.col(CLOSE)
_LOG_RETURN = pl.col(LOG_RETURN)
_LOG_RANGE = (_HIGH / _LOW).log()


def volatility(window: int) -> pl.Expr:
    """Standard deviation of the daily log returns, per session."""
    return deviation(_LOG_RETURN, window)


_feature = partial(Feature, family="volatility")

VOLATILITY_FEATURES: Final = (
    _feature("volatility_20", "standard deviation of 20 daily log returns", 21, "Ang, Hodrick, Xing and Zhang (2006)", volatility(20)),
    _feature("volatility_60", "standard deviation of 60 daily log returns", 61, "Ang, Hodrick, Xing and Zhang (2006)", volatility(60)),
    _feature(
        "volatility_ratio_5_60",
        "volatility of 5 sessions over volatility of 60 sessions",
        61,
        "Engle (1982)",
        volatility(5) / volatility(60),
    ),
    _feature(
        "parkinson_20",
        "root of the mean squared log range of high over low of 20 sessions, over 4 ln 2",
        20,
        "Parkinson (1980)",
        (mean(_LOG_RANGE.pow(2), 20) / (4 * log(2))).sqrt(),
    ),
    _feature(
        "atr_14",
        "true range, smoothed over 14 sessions from 60 sessions back, over the close",
        61,
        "Wilder (1978)",
        wilder_mean(pl.col(TRUE_RANGE), 14, 60) / _CLOSE,
    ),
    _feature("session_range", "high over low, less 1", 1, "Parkinson (1980)", _HIGH / _LOW - 1),
    _feature(
        "bollinger_20",
        "distance of the close from the mean of 20 closes, in their standard deviations",
        20,
        "Bollinger (2001)",
        z_score(_CLOSE, 20),
    ),
    _feature(
        "downside_volatility_20",
        "root of the mean squared daily log return of 20 sessions, gains counted as 0",
        21,
        "Sortino and Price (1994)",
        mean(_LOG_RETURN.clip(upper_bound=0).pow(2), 20).sqrt(),
    ),
    _feature(
        "skewness_60", "skewness of 60 daily log returns", 61, "Amaya, Christoffersen, Jacobs and Vasquez (2015)", skewness(_LOG_RETURN, 60)
    ),
    _feature(
        "maximum_return_20", "largest daily return of 20 sessions", 21, "Bali, Cakici and Whitelaw (2011)", highest(pl.col(RETURN), 20)
    ),
)
