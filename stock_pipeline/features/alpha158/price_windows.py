"""Where the price stands in its windows, and how often and how far it rose in them."""

from collections.abc import Callable
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW
from stock_pipeline.features.alpha158.kinds import in_each_window
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.windows import (
    deviation,
    highest,
    lowest,
    mean,
    percentile_rank,
    place_in_range,
    position_of_highest,
    position_of_lowest,
    quantile,
    total,
    trend_r2,
    trend_residual,
    trend_slope,
)

_HIGH, _LOW, _CLOSE = pl.col(HIGH), pl.col(LOW), pl.col(CLOSE)
_CHANGE = _CLOSE - _CLOSE.shift(1)
_RISE, _FALL = _CHANGE.clip(lower_bound=0), (-_CHANGE).clip(lower_bound=0)
_ROSE, _FELL = (_CHANGE > 0).cast(pl.Float64), (_CHANGE < 0).cast(pl.Float64)

_FROM_LOW_TO_HIGH = "sessions from the lowest low to the highest high among {d} sessions, negative where the high came first, over {d}"


def _levels(kind: str, formula: str, expression: Callable[[int], pl.Expr], idea: str | None = None) -> tuple[Feature, ...]:
    return in_each_window(kind, "price_window", formula, expression, idea=idea)


def _moves(kind: str, formula: str, expression: Callable[[int], pl.Expr], idea: str | None = None) -> tuple[Feature, ...]:
    return in_each_window(kind, "price_window", formula, expression, idea=idea, of_changes=True)


def _high_since_low(window: int) -> pl.Expr:
    return (position_of_highest(_HIGH, window) - position_of_lowest(_LOW, window)) / window


def _share_of_path(distance: pl.Expr, window: int) -> pl.Expr:
    return total(distance, window) / total(_CHANGE.abs(), window)


PRICE_LEVEL_FEATURES: Final = (
    *_moves("ROC", "close {d} sessions ago over close", lambda d: _CLOSE.shift(d) / _CLOSE, "Jegadeesh and Titman (1993)"),
    *_levels("MA", "mean close of {d} sessions over close", lambda d: mean(_CLOSE, d) / _CLOSE, "Brock, Lakonishok and LeBaron (1992)"),
    *_levels("STD", "standard deviation of {d} closes over close", lambda d: deviation(_CLOSE, d) / _CLOSE),
    *_levels(
        "BETA",
        "slope per session of the least-squares line through {d} closes, over close",
        lambda d: trend_slope(_CLOSE, d) / _CLOSE,
        "Clenow (2015)",
    ),
    *_levels("RSQR", "R squared of the least-squares line through {d} closes", lambda d: trend_r2(_CLOSE, d), "Clenow (2015)"),
    *_levels(
        "RESI", "close less the least-squares line through {d} closes at its end, over close", lambda d: trend_residual(_CLOSE, d) / _CLOSE
    ),
    *_levels("MAX", "highest high of {d} sessions over close", lambda d: highest(_HIGH, d) / _CLOSE, "George and Hwang (2004)"),
    *_levels("MIN", "lowest low of {d} sessions over close", lambda d: lowest(_LOW, d) / _CLOSE, "George and Hwang (2004)"),
    *_levels("QTLU", "0.8 quantile of {d} closes over close", lambda d: quantile(_CLOSE, 0.8, d) / _CLOSE),
    *_levels("QTLD", "0.2 quantile of {d} closes over close", lambda d: quantile(_CLOSE, 0.2, d) / _CLOSE),
    *_levels("RANK", "rank of the close among {d} closes, over their number; ties share their mean", lambda d: percentile_rank(_CLOSE, d)),
    *_levels(
        "RSV",
        "place of the close between the lowest low (0) and the highest high (1) of {d} sessions; 0 where those are equal",
        lambda d: place_in_range(_CLOSE, _HIGH, _LOW, d),
        "Lane (1984)",
    ),
    *_levels(
        "IMAX",
        "which of {d} sessions had the highest high, the oldest being 1 and the first of equal ones counting, over {d}",
        lambda d: position_of_highest(_HIGH, d) / d,
        "Chande (1995)",
    ),
    *_levels(
        "IMIN",
        "which of {d} sessions had the lowest low, the oldest being 1 and the first of equal ones counting, over {d}",
        lambda d: position_of_lowest(_LOW, d) / d,
        "Chande (1995)",
    ),
    *_levels("IMXD", _FROM_LOW_TO_HIGH, _high_since_low, "Chande (1995)"),
)

PRICE_MOVE_FEATURES: Final = (
    *_moves("CNTP", "share of {d} sessions whose close is above the previous one", lambda d: mean(_ROSE, d)),
    *_moves("CNTN", "share of {d} sessions whose close is below the previous one", lambda d: mean(_FELL, d)),
    *_moves("CNTD", "share of {d} sessions whose close rose less that of those whose close fell", lambda d: mean(_ROSE - _FELL, d)),
    *_moves(
        "SUMP", "rises of the close over rises and falls together, of {d} sessions", lambda d: _share_of_path(_RISE, d), "Wilder (1978)"
    ),
    *_moves(
        "SUMN", "falls of the close over rises and falls together, of {d} sessions", lambda d: _share_of_path(_FALL, d), "Wilder (1978)"
    ),
    *_moves(
        "SUMD",
        "rises less falls of the close, over rises and falls together, of {d} sessions",
        lambda d: _share_of_path(_CHANGE, d),
        "Chande and Kroll (1994)",
    ),
)
