"""How the volume stands in its windows, and how it goes with the price."""

from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, VOLUME
from stock_pipeline.features.alpha158.kinds import in_each_window, way_features
from stock_pipeline.features.bars import RETURN
from stock_pipeline.features.feature import Series
from stock_pipeline.features.windows import correlation, deviation, mean, variability

_VOLUME, _RETURN = pl.col(VOLUME), pl.col(RETURN)
_LOG_VOLUME = Series("log_volume", pl.when(_VOLUME > 0).then(_VOLUME).log())
_PREVIOUS = _VOLUME.shift(1)
_LOG_GROWTH = Series("log_growth_of_volume", (pl.when(_PREVIOUS > 0).then(_VOLUME / _PREVIOUS) + 1).log())
_WEIGHTED_MOVE = Series("return_times_volume", _RETURN.abs() * _VOLUME)

_levels = partial(in_each_window, family="volume_window")
_moves = partial(in_each_window, family="volume_window", of_changes=True)

PRICE_WITH_VOLUME_FEATURES: Final = (
    *_levels(
        "CORR",
        "correlation over {d} sessions of close and log volume, without the sessions of no volume, whatever the unit of volume",
        lambda d, log_volume: correlation(pl.col(CLOSE), log_volume, d),
        lambda _d: (_LOG_VOLUME,),
    ),
    *_moves(
        "CORD",
        "correlation over {d} sessions of close over previous close with the log of 1 + volume over previous volume, without the "
        "sessions after one of no volume",
        # A constant more or less does not change a correlation, and the return has the digits that the ratio rounds away.
        lambda d, log_growth: correlation(_RETURN, log_growth, d),
        lambda _d: (_LOG_GROWTH,),
    ),
)

VOLUME_WINDOW_FEATURES: Final = (
    *_levels("VMA", "mean volume of {d} sessions over volume", lambda d: mean(_VOLUME, d) / _VOLUME),
    *_levels("VSTD", "standard deviation of {d} sessions' volume over volume", lambda d: deviation(_VOLUME, d) / _VOLUME),
    *_moves(
        "WVMA",
        "standard deviation of absolute return times volume over its mean, of {d} sessions",
        lambda d, weighted_move: variability(weighted_move, d),
        lambda _d: (_WEIGHTED_MOVE,),
    ),
    *way_features("VSUM", "volume", _VOLUME - _PREVIOUS, "volume_window"),
)
