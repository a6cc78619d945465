"""How the volume stands in its windows, and how it goes with the price."""

from collections.abc import Callable
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, VOLUME
from stock_pipeline.features.alpha158.kinds import in_each_window
from stock_pipeline.features.bars import RETURN
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.windows import correlation, deviation, mean, total

_VOLUME, _RETURN = pl.col(VOLUME), pl.col(RETURN)
_LOG_VOLUME = pl.when(_VOLUME > 0).then(_VOLUME).log()
_PREVIOUS = _VOLUME.shift(1)
_LOG_GROWTH = (pl.when(_PREVIOUS > 0).then(_VOLUME / _PREVIOUS) + 1).log()
_WEIGHTED_MOVE = _RETURN.abs() * _VOLUME
_CHANGE = _VOLUME - _VOLUME.shift(1)
_RISE, _FALL = _CHANGE.clip(lower_bound=0), (-_CHANGE).clip(lower_bound=0)


def _levels(kind: str, formula: str, expression: Callable[[int], pl.Expr], idea: str | None = None) -> tuple[Feature, ...]:
    return in_each_window(kind, "volume_window", formula, expression, idea=idea)


def _moves(kind: str, formula: str, expression: Callable[[int], pl.Expr], idea: str | None = None) -> tuple[Feature, ...]:
    return in_each_window(kind, "volume_window", formula, expression, idea=idea, of_changes=True)


def _share_of_path(distance: pl.Expr, window: int) -> pl.Expr:
    return total(distance, window) / total(_CHANGE.abs(), window)


PRICE_WITH_VOLUME_FEATURES: Final = (
    *_levels(
        "CORR",
        "correlation over {d} sessions of close and log volume, without the sessions of no volume, whatever the unit of volume",
        lambda d: correlation(pl.col(CLOSE), _LOG_VOLUME, d),
    ),
    *_moves(
        "CORD",
        "correlation over {d} sessions of close over previous close with the log of 1 + volume over previous volume, without the sessions "
        "after one of no volume",
        # A constant more or less does not change a correlation, and the return has the digits that the ratio rounds away.
        lambda d: correlation(_RETURN, _LOG_GROWTH, d),
    ),
)

VOLUME_WINDOW_FEATURES: Final = (
    *_levels("VMA", "mean volume of {d} sessions over volume", lambda d: mean(_VOLUME, d) / _VOLUME),
    *_levels("VSTD", "standard deviation of {d} sessions' volume over volume", lambda d: deviation(_VOLUME, d) / _VOLUME),
    *_moves(
        "WVMA",
        "standard deviation of absolute return times volume over its mean, of {d} sessions",
        lambda d: deviation(_WEIGHTED_MOVE, d) / mean(_WEIGHTED_MOVE, d),
    ),
    *_moves("VSUMP", "rises of the volume over rises and falls together, of {d} sessions", lambda d: _share_of_path(_RISE, d)),
    *_moves("VSUMN", "falls of the volume over rises and falls together, of {d} sessions", lambda d: _share_of_path(_FALL, d)),
    *_moves(
        "VSUMD", "rises less falls of the volume, over rises and falls together, of {d} sessions", lambda d: _share_of_path(_CHANGE, d)
    ),
)
