"""How the volume stands in its windows, and how it goes with the price."""

from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, VOLUME
from stock_pipeline.features.alpha158.kinds import in_each_window
from stock_pipeline.features.alpha158.way import Way
from stock_pipeline.features.bars import RETURN
from stock_pipeline.features.feature import Series
from stock_pipeline.features.windows import correlation, deviation, mean, variability

_VOLUME, _RETURN = pl.col(VOLUME), pl.col(RETURN)
_LOG_VOLUME = Series("log_volume", pl.when(_VOLUME > 0).then(_VOLUME).log())
_PREVIOUS = _VOLUME.shift(1)
_LOG_GROWTH = Series("log_growth_of_volume", (pl.when(_PREVIOUS > 0).then(_VOLUME / _PREVIOUS) + 1).log())
_WEIGHTED_MOVE = Series("return_times_volume", _RETURN.abs() * _VOLUME)
_WAY = Way("volume", _VOLUME - _PREVIOUS)

_levels = partial(in_each_window, family="volume_window")
_moves = partial(in_each_window, family="volume_window", of_changes=True)

PRICE_WITH_VOLUME_FEATURES: Final = (
    *_levels(
        "CORR",
        formula="correlation over {d} sessions of close and log volume, without the sessions of no volume, whatever the unit of volume",
        expression=lambda d: correlation(pl.col(CLOSE), _LOG_VOLUME.column, d),
        made_of=lambda _d: (_LOG_VOLUME,),
    ),
    *_moves(
        "CORD",
        formula="correlation over {d} sessions of close over previous close with the log of 1 + volume over previous volume, without the "
        "sessions after one of no volume",
        # A constant more or less does not change a correlation, and the return has the digits that the ratio rounds away.
        expression=lambda d: correlation(_RETURN, _LOG_GROWTH.column, d),
        made_of=lambda _d: (_LOG_GROWTH,),
    ),
)

VOLUME_WINDOW_FEATURES: Final = (
    *_levels("VMA", formula="mean volume of {d} sessions over volume", expression=lambda d: mean(_VOLUME, d) / _VOLUME),
    *_levels(
        "VSTD", formula="standard deviation of {d} sessions' volume over volume", expression=lambda d: deviation(_VOLUME, d) / _VOLUME
    ),
    *_moves(
        "WVMA",
        formula="standard deviation of absolute return times volume over its mean, of {d} sessions",
        expression=lambda d: variability(_WEIGHTED_MOVE.column, d),
        made_of=lambda _d: (_WEIGHTED_MOVE,),
    ),
    *_moves(
        "VSUMP",
        formula="rises of the volume over rises and falls together, of {d} sessions",
        expression=_WAY.share_of_rises,
        made_of=_WAY.parts,
    ),
    *_moves(
        "VSUMN",
        formula="falls of the volume over rises and falls together, of {d} sessions",
        expression=_WAY.share_of_falls,
        made_of=_WAY.parts,
    ),
    *_moves(
        "VSUMD",
        formula="rises less falls of the volume, over rises and falls together, of {d} sessions",
        expression=_WAY.balance,
        made_of=_WAY.parts,
    ),
)
