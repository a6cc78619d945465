"""The shape of one session's bar."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN
from stock_pipeline.features.alpha158.kinds import QLIB
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.grid import TYPICAL

_OPEN, _HIGH, _LOW, _CLOSE = pl.col(OPEN), pl.col(HIGH), pl.col(LOW), pl.col(CLOSE)
_BODY_TOP, _BODY_BOTTOM = pl.max_horizontal(_OPEN, _CLOSE), pl.min_horizontal(_OPEN, _CLOSE)


def _candle(name: str, formula: str, expression: pl.Expr, source: str = f"Nison (1991), in {QLIB}") -> Feature:
    return Feature(name, formula, 1, source, expression, family="candle")


def _of_range(distance: pl.Expr) -> pl.Expr:
    """The distance over the session's range; 0 where high and low are equal, as in Qlib."""
    return pl.when(_HIGH == _LOW).then(0.0).otherwise(distance / (_HIGH - _LOW))


CANDLE_FEATURES: Final = (
    _candle("KMID", "close less open, over open", (_CLOSE - _OPEN) / _OPEN),
    _candle("KLEN", "high less low, over open", (_HIGH - _LOW) / _OPEN),
    _candle("KMID2", "close less open, over high less low; 0 where high is low", _of_range(_CLOSE - _OPEN)),
    _candle("KUP", "high less the higher of open and close, over open", (_HIGH - _BODY_TOP) / _OPEN),
    _candle("KUP2", "high less the higher of open and close, over high less low; 0 where high is low", _of_range(_HIGH - _BODY_TOP)),
    _candle("KLOW", "the lower of open and close less low, over open", (_BODY_BOTTOM - _LOW) / _OPEN),
    _candle("KLOW2", "the lower of open and close less low, over high less low; 0 where high is low", _of_range(_BODY_BOTTOM - _LOW)),
    _candle("KSFT", "twice the close less high and low, over open", (2 * _CLOSE - _HIGH - _LOW) / _OPEN),
    _candle("KSFT2", "twice the close less high and low, over high less low; 0 where high is low", _of_range(2 * _CLOSE - _HIGH - _LOW)),
    _candle("OPEN0", "open over close", _OPEN / _CLOSE, QLIB),
    _candle("HIGH0", "high over close", _HIGH / _CLOSE, QLIB),
    _candle("LOW0", "low over close", _LOW / _CLOSE, QLIB),
    _candle(
        "VWAP0",
        "mean of high, low and close, over close; it stands for the volume-weighted mean price, which the bars do not tell",
        pl.col(TYPICAL) / _CLOSE,
        QLIB,
    ),
)
