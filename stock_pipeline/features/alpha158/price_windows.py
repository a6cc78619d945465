"""Where the price stands in its windows, and how often and how far it rose in them."""

from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW
from stock_pipeline.features.alpha158.kinds import in_each_window, way_features
from stock_pipeline.features.feature import Series
from stock_pipeline.features.windows import (
    deviation,
    highest,
    lowest,
    mean,
    percentile_rank,
    position_of_highest,
    position_of_lowest,
    quantile,
    trend,
)

_HIGH, _LOW, _CLOSE = pl.col(HIGH), pl.col(LOW), pl.col(CLOSE)
_CHANGE = _CLOSE - _CLOSE.shift(1)
_ROSE, _FELL = Series("close_rose", (_CHANGE > 0).cast(pl.Float64)), Series("close_fell", (_CHANGE < 0).cast(pl.Float64))


def _trend(window: int) -> tuple[Series]:
    return (Series(f"trend_of_close_{window}", trend(_CLOSE, window)),)


def _extremes(window: int) -> tuple[Series, Series]:
    return Series(f"highest_high_{window}", highest(_HIGH, window)), Series(f"lowest_low_{window}", lowest(_LOW, window))


def _place_in_range(_window: int, high: pl.Expr, low: pl.Expr) -> pl.Expr:
    return pl.when(high == low).then(0.0).otherwise((_CLOSE - low) / (high - low))


def _positions(window: int) -> tuple[Series, Series]:
    high, low = position_of_highest(_HIGH, window), position_of_lowest(_LOW, window)
    return Series(f"position_of_highest_high_{window}", high), Series(f"position_of_lowest_low_{window}", low)


def _counts(window: int) -> tuple[Series, Series]:
    return (
        Series(f"share_of_rises_{window}", mean(_ROSE.column, window), (_ROSE,)),
        Series(f"share_of_falls_{window}", mean(_FELL.column, window), (_FELL,)),
    )


_levels = partial(in_each_window, family="price_window")
_moves = partial(in_each_window, family="price_window", of_changes=True)
_of_trend = partial(_levels, inputs=_trend)
_of_extremes = partial(_levels, inputs=_extremes)
_of_positions = partial(_levels, inputs=_positions, idea="Chande (1995)")
_of_counts = partial(_moves, inputs=_counts)

PRICE_LEVEL_FEATURES: Final = (
    *_moves("ROC", "close {d} sessions ago over close", lambda d: _CLOSE.shift(d) / _CLOSE, idea="Jegadeesh and Titman (1993)"),
    *_levels(
        "MA", "mean close of {d} sessions over close", lambda d: mean(_CLOSE, d) / _CLOSE, idea="Brock, Lakonishok and LeBaron (1992)"
    ),
    *_levels("STD", "standard deviation of {d} closes over close", lambda d: deviation(_CLOSE, d) / _CLOSE),
    *_of_trend(
        "BETA",
        "slope per session of the least-squares line through {d} closes, over close",
        lambda _d, line: line.struct.field("slope") / _CLOSE,
        idea="Clenow (2015)",
    ),
    *_of_trend(
        "RSQR",
        "R squared of the least-squares line through {d} closes",
        lambda _d, line: line.struct.field("r2"),
        idea="Clenow (2015)",
    ),
    *_of_trend(
        "RESI",
        "close less the least-squares line through {d} closes at its end, over close",
        lambda _d, line: line.struct.field("residual") / _CLOSE,
    ),
    *_of_extremes("MAX", "highest high of {d} sessions over close", lambda _d, high, _low: high / _CLOSE, idea="George and Hwang (2004)"),
    *_of_extremes("MIN", "lowest low of {d} sessions over close", lambda _d, _high, low: low / _CLOSE, idea="George and Hwang (2004)"),
    *_levels("QTLU", "0.8 quantile of {d} closes over close", lambda d: quantile(_CLOSE, 0.8, d) / _CLOSE),
    *_levels("QTLD", "0.2 quantile of {d} closes over close", lambda d: quantile(_CLOSE, 0.2, d) / _CLOSE),
    *_levels(
        "RANK",
        "rank of the close among {d} closes, over their number; ties share their mean",
        lambda d: percentile_rank(_CLOSE, d),
    ),
    *_of_extremes(
        "RSV",
        "place of the close between the lowest low (0) and the highest high (1) of {d} sessions; 0 where those are equal",
        _place_in_range,
        idea="Lane (1984)",
    ),
    *_of_positions(
        "IMAX",
        "which of {d} sessions had the highest high, the oldest being 1 and the first of equal ones counting, over {d}",
        lambda d, high, _low: high / d,
    ),
    *_of_positions(
        "IMIN",
        "which of {d} sessions had the lowest low, the oldest being 1 and the first of equal ones counting, over {d}",
        lambda d, _high, low: low / d,
    ),
    *_of_positions(
        "IMXD",
        "sessions from the lowest low to the highest high among {d} sessions, negative where the high came first, over {d}",
        lambda d, high, low: (high - low) / d,
    ),
)

PRICE_MOVE_FEATURES: Final = (
    *_of_counts("CNTP", "share of {d} sessions whose close is above the previous one", lambda _d, rises, _falls: rises),
    *_of_counts("CNTN", "share of {d} sessions whose close is below the previous one", lambda _d, _rises, falls: falls),
    *_of_counts(
        "CNTD",
        "share of {d} sessions whose close rose less that of those whose close fell",
        lambda _d, rises, falls: rises - falls,
    ),
    *way_features("SUM", "close", _CHANGE, "price_window", idea="Wilder (1978)", idea_of_balance="Chande and Kroll (1994)"),
)
