"""Where the price stands in its windows, and how often and how far it rose in them."""

from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW
from stock_pipeline.features.alpha158.kinds import in_each_window
from stock_pipeline.features.alpha158.way import Way
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
_WAY = Way("close", _CHANGE)
_ROSE, _FELL = Series("close_rose", (_CHANGE > 0).cast(pl.Float64)), Series("close_fell", (_CHANGE < 0).cast(pl.Float64))

_levels = partial(in_each_window, family="price_window")
_moves = partial(in_each_window, family="price_window", of_changes=True)


def _trend(window: int) -> Series:
    return Series(f"trend_of_close_{window}", trend(_CLOSE, window))


def _of_trend(name: str, window: int) -> pl.Expr:
    return _trend(window).column.struct.field(name)


def _extremes(window: int) -> tuple[Series, Series]:
    return Series(f"highest_high_{window}", highest(_HIGH, window)), Series(f"lowest_low_{window}", lowest(_LOW, window))


def _place_in_range(window: int) -> pl.Expr:
    high, low = (extreme.column for extreme in _extremes(window))
    return pl.when(high == low).then(0.0).otherwise((_CLOSE - low) / (high - low))


def _positions(window: int) -> tuple[Series, Series]:
    high, low = position_of_highest(_HIGH, window), position_of_lowest(_LOW, window)
    return Series(f"position_of_highest_high_{window}", high), Series(f"position_of_lowest_low_{window}", low)


def _high_since_low(window: int) -> pl.Expr:
    high, low = (position.column for position in _positions(window))
    return (high - low) / window


def _counts(window: int) -> tuple[Series, Series]:
    return (
        Series(f"share_of_rises_{window}", mean(_ROSE.column, window), (_ROSE,)),
        Series(f"share_of_falls_{window}", mean(_FELL.column, window), (_FELL,)),
    )


PRICE_LEVEL_FEATURES: Final = (
    *_moves(
        "ROC",
        formula="close {d} sessions ago over close",
        expression=lambda d: _CLOSE.shift(d) / _CLOSE,
        idea="Jegadeesh and Titman (1993)",
    ),
    *_levels(
        "MA",
        formula="mean close of {d} sessions over close",
        expression=lambda d: mean(_CLOSE, d) / _CLOSE,
        idea="Brock, Lakonishok and LeBaron (1992)",
    ),
    *_levels("STD", formula="standard deviation of {d} closes over close", expression=lambda d: deviation(_CLOSE, d) / _CLOSE),
    *_levels(
        "BETA",
        formula="slope per session of the least-squares line through {d} closes, over close",
        expression=lambda d: _of_trend("slope", d) / _CLOSE,
        idea="Clenow (2015)",
        made_of=lambda d: (_trend(d),),
    ),
    *_levels(
        "RSQR",
        formula="R squared of the least-squares line through {d} closes",
        expression=lambda d: _of_trend("r2", d),
        idea="Clenow (2015)",
        made_of=lambda d: (_trend(d),),
    ),
    *_levels(
        "RESI",
        formula="close less the least-squares line through {d} closes at its end, over close",
        expression=lambda d: _of_trend("residual", d) / _CLOSE,
        made_of=lambda d: (_trend(d),),
    ),
    *_levels(
        "MAX",
        formula="highest high of {d} sessions over close",
        expression=lambda d: _extremes(d)[0].column / _CLOSE,
        idea="George and Hwang (2004)",
        made_of=_extremes,
    ),
    *_levels(
        "MIN",
        formula="lowest low of {d} sessions over close",
        expression=lambda d: _extremes(d)[1].column / _CLOSE,
        idea="George and Hwang (2004)",
        made_of=_extremes,
    ),
    *_levels("QTLU", formula="0.8 quantile of {d} closes over close", expression=lambda d: quantile(_CLOSE, 0.8, d) / _CLOSE),
    *_levels("QTLD", formula="0.2 quantile of {d} closes over close", expression=lambda d: quantile(_CLOSE, 0.2, d) / _CLOSE),
    *_levels(
        "RANK",
        formula="rank of the close among {d} closes, over their number; ties share their mean",
        expression=lambda d: percentile_rank(_CLOSE, d),
    ),
    *_levels(
        "RSV",
        formula="place of the close between the lowest low (0) and the highest high (1) of {d} sessions; 0 where those are equal",
        expression=_place_in_range,
        idea="Lane (1984)",
        made_of=_extremes,
    ),
    *_levels(
        "IMAX",
        formula="which of {d} sessions had the highest high, the oldest being 1 and the first of equal ones counting, over {d}",
        expression=lambda d: _positions(d)[0].column / d,
        idea="Chande (1995)",
        made_of=_positions,
    ),
    *_levels(
        "IMIN",
        formula="which of {d} sessions had the lowest low, the oldest being 1 and the first of equal ones counting, over {d}",
        expression=lambda d: _positions(d)[1].column / d,
        idea="Chande (1995)",
        made_of=_positions,
    ),
    *_levels(
        "IMXD",
        formula="sessions from the lowest low to the highest high among {d} sessions, negative where the high came first, over {d}",
        expression=_high_since_low,
        idea="Chande (1995)",
        made_of=_positions,
    ),
)

PRICE_MOVE_FEATURES: Final = (
    *_moves(
        "CNTP",
        formula="share of {d} sessions whose close is above the previous one",
        expression=lambda d: _counts(d)[0].column,
        made_of=_counts,
    ),
    *_moves(
        "CNTN",
        formula="share of {d} sessions whose close is below the previous one",
        expression=lambda d: _counts(d)[1].column,
        made_of=_counts,
    ),
    *_moves(
        "CNTD",
        formula="share of {d} sessions whose close rose less that of those whose close fell",
        expression=lambda d: _counts(d)[0].column - _counts(d)[1].column,
        made_of=_counts,
    ),
    *_moves(
        "SUMP",
        formula="rises of the close over rises and falls together, of {d} sessions",
        expression=_WAY.share_of_rises,
        idea="Wilder (1978)",
        made_of=_WAY.parts,
    ),
    *_moves(
        "SUMN",
        formula="falls of the close over rises and falls together, of {d} sessions",
        expression=_WAY.share_of_falls,
        idea="Wilder (1978)",
        made_of=_WAY.parts,
    ),
    *_moves(
        "SUMD",
        formula="rises less falls of the close, over rises and falls together, of {d} sessions",
        expression=_WAY.balance,
        idea="Chande and Kroll (1994)",
        made_of=_WAY.parts,
    ),
)
