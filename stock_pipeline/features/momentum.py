"""Features of the price path: returns, distances from averages and extremes, trend."""

from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN
from stock_pipeline.features.feature import Feature, Series
from stock_pipeline.features.windows import exponential_mean, highest, lowest, mean, trend, wilder_mean

_OPEN, _HIGH, _LOW, _CLOSE = pl.col(OPEN), pl.col(HIGH), pl.col(LOW), pl.col(CLOSE)
_CHANGE = _CLOSE - _CLOSE.shift(1)
_TREND = Series("trend_of_close_20", trend(_CLOSE, 20))
_SMOOTH_RISE, _SMOOTH_FALL = (wilder_mean(change.clip(lower_bound=0), 14, 60) for change in (_CHANGE, -_CHANGE))


def past_return(sessions: int) -> pl.Expr:
    """Return from the close ``sessions`` sessions ago to the current close."""
    return _CLOSE / _CLOSE.shift(sessions) - 1


_feature = partial(Feature, family="momentum")

MOMENTUM_FEATURES: Final = (
    _feature("return_1", "close over close 1 session ago, less 1", 2, "Jegadeesh (1990)", past_return(1)),
    _feature("return_5", "close over close 5 sessions ago, less 1", 6, "Lehmann (1990)", past_return(5)),
    _feature("return_10", "close over close 10 sessions ago, less 1", 11, "Lehmann (1990)", past_return(10)),
    _feature("return_20", "close over close 20 sessions ago, less 1", 21, "Jegadeesh (1990)", past_return(20)),
    _feature("return_60", "close over close 60 sessions ago, less 1", 61, "Jegadeesh and Titman (1993)", past_return(60)),
    _feature(
        "momentum_60_5",
        "close 5 sessions ago over close 60 sessions ago, less 1",
        61,
        "Jegadeesh and Titman (1993)",
        _CLOSE.shift(5) / _CLOSE.shift(60) - 1,
    ),
    _feature("overnight_return", "open over the previous close, less 1", 2, "Lou, Polk and Skouras (2019)", _OPEN / _CLOSE.shift(1) - 1),
    _feature("intraday_return", "close over open, less 1", 1, "Lou, Polk and Skouras (2019)", _CLOSE / _OPEN - 1),
    *(
        _feature(
            f"distance_to_mean_{sessions}",
            f"close over the mean close of {sessions} sessions, less 1",
            sessions,
            "Brock, Lakonishok and LeBaron (1992)",
            _CLOSE / mean(_CLOSE, sessions) - 1,
        )
        for sessions in (20, 60)
    ),
    _feature(
        "macd_12_26",
        "exponential mean close of 12 sessions over that of 26, less 1; both begin 60 sessions back as TA-Lib's MACD does",
        60,
        "Appel (1979)",
        exponential_mean(_CLOSE, 12, 46) / exponential_mean(_CLOSE, 26, 60) - 1,
    ),
    _feature(
        "rsi_14",
        "rises of the close over rises and falls together, both smoothed over 14 sessions from 60 sessions back; 0 to 1",
        61,
        "Wilder (1978)",
        _SMOOTH_RISE / (_SMOOTH_RISE + _SMOOTH_FALL),
    ),
    _feature(
        "range_position_20",
        "place of the close between the lowest low (0) and the highest high (1) of 20 sessions",
        20,
        "Lane (1984)",
        (_CLOSE - lowest(_LOW, 20)) / (highest(_HIGH, 20) - lowest(_LOW, 20)),
    ),
    _feature(
        "distance_to_high_60",
        "close over the highest high of 60 sessions, less 1",
        60,
        "George and Hwang (2004)",
        _CLOSE / highest(_HIGH, 60) - 1,
    ),
    _feature(
        "distance_to_low_60",
        "close over the lowest low of 60 sessions, less 1",
        60,
        "George and Hwang (2004)",
        _CLOSE / lowest(_LOW, 60) - 1,
    ),
    _feature(
        "trend_slope_20",
        "slope per session of the least-squares line through 20 closes, over their mean",
        20,
        "Clenow (2015)",
        _TREND.column.struct.field("slope") / mean(_CLOSE, 20),
        inputs=(_TREND,),
    ),
    _feature(
        "trend_r2_20",
        "R squared of the least-squares line through 20 closes",
        20,
        "Clenow (2015)",
        _TREND.column.struct.field("r2"),
        inputs=(_TREND,),
    ),
)
