"""Features of trading: how much, against the stock's own average, and on which side."""

from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.core.columns import VOLUME
from stock_pipeline.features.bars import RETURN
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.grid import DOLLAR_VOLUME, LOG_RETURN, TYPICAL
from stock_pipeline.features.windows import correlation, mean, total, variability, z_score

_VOLUME, _DOLLAR_VOLUME, _TYPICAL = pl.col(VOLUME), pl.col(DOLLAR_VOLUME), pl.col(TYPICAL)
_TRADED = pl.when(_VOLUME > 0).then(_VOLUME)
_LOG_VOLUME = _TRADED.log()
_ILLIQUIDITY = pl.when(_DOLLAR_VOLUME > 0).then(pl.col(RETURN).abs() / _DOLLAR_VOLUME)

# A typical price that moved by less is unchanged: its three prices were only added up to another last bit.
_UNCHANGED = 1e-9
_TYPICAL_RETURN = _TYPICAL / _TYPICAL.shift(1) - 1
_FLOW = _TYPICAL * _VOLUME
_INFLOW = pl.when(_TYPICAL_RETURN > _UNCHANGED).then(_FLOW).when(_TYPICAL_RETURN.is_not_null()).then(0.0)
_OUTFLOW = pl.when(_TYPICAL_RETURN < -_UNCHANGED).then(_FLOW).when(_TYPICAL_RETURN.is_not_null()).then(0.0)

_feature = partial(Feature, family="volume")

VOLUME_FEATURES: Final = (
    _feature(
        "volume_ratio_5_20",
        "mean volume of 5 sessions over mean volume of 20 sessions",
        20,
        "Gervais, Kaniel and Mingelgrin (2001)",
        mean(_VOLUME, 5) / mean(_VOLUME, 20),
    ),
    _feature(
        "log_volume_z_20",
        "distance of the log volume from its mean of 20 sessions, in standard deviations",
        20,
        "Gervais, Kaniel and Mingelgrin (2001)",
        z_score(_LOG_VOLUME, 20),
    ),
    _feature(
        "dollar_volume_trend_20_60",
        "mean of close times volume of 20 sessions over that of 60 sessions, less 1",
        60,
        "Chordia and Swaminathan (2000)",
        mean(_DOLLAR_VOLUME, 20) / mean(_DOLLAR_VOLUME, 60) - 1,
    ),
    _feature(
        "illiquidity_ratio_5_60",
        "mean absolute return per dollar traded of 5 sessions over that of 60 sessions",
        61,
        "Amihud (2002)",
        mean(_ILLIQUIDITY, 5) / mean(_ILLIQUIDITY, 60),
    ),
    _feature(
        "return_volume_correlation_20",
        "correlation over 20 sessions of the daily log return with the change of the log volume",
        21,
        "Llorente, Michaely, Saar and Wang (2002)",
        correlation(pl.col(LOG_RETURN), _LOG_VOLUME - _LOG_VOLUME.shift(1), 20),
    ),
    _feature(
        "money_flow_14",
        "typical price times volume where the typical price rose, over that where it rose or fell, in 14 sessions; 0 to 1",
        15,
        "Quong and Soudack (1989)",
        total(_INFLOW, 14) / (total(_INFLOW, 14) + total(_OUTFLOW, 14)),
    ),
    _feature(
        "volume_variability_20",
        "standard deviation of 20 sessions' volume over its mean",
        20,
        "Chordia, Subrahmanyam and Anshuman (2001)",
        variability(_VOLUME, 20),
    ),
)
