"""Features of the market's regime: trend, volatility, breadth, dispersion.

Each has the same value for every stock of a session, so a rank within the session would say nothing. They lie within bounds by
construction, and models get them scaled by those.
"""

from typing import Final

import polars as pl

from stock_pipeline.features.feature import Feature
from stock_pipeline.features.market import ADVANCING, DISPERSION, MARKET_RETURN, SQUARED_RETURN
from stock_pipeline.features.windows import deviation, mean, total

_MARKET, _SHARE = pl.col(MARKET_RETURN), (0.0, 1.0)


def _of_market(name: str, formula: str, look_back: int, source: str, expression: pl.Expr, bounds: tuple[float, float] = _SHARE) -> Feature:
    low, high = bounds
    # Rounding may carry a share a hair beyond its bounds.
    return Feature(name, formula, look_back, source, expression.clip(low, high), family="regime", on="market", bounds=bounds)


def _trend(window: int) -> pl.Expr:
    return total(_MARKET, window) / total(_MARKET.abs(), window)


def _share_of_short(statistic: pl.Expr, of_longer: pl.Expr) -> pl.Expr:
    return statistic / (statistic + of_longer)


REGIME_FEATURES: Final = (
    _of_market(
        "market_trend_20",
        "sum of the market's returns of 20 sessions over the sum of their sizes; the efficiency ratio with its sign",
        21,
        "Kaufman (1995)",
        _trend(20),
        (-1.0, 1.0),
    ),
    _of_market(
        "market_trend_60",
        "sum of the market's returns of 60 sessions over the sum of their sizes; time-series momentum per unit of movement",
        61,
        "Moskowitz, Ooi and Pedersen (2012)",
        _trend(60),
        (-1.0, 1.0),
    ),
    _of_market(
        "market_volatility_20_60",
        "volatility of the market's returns of 20 sessions over the sum of that and of 60 sessions'; above 1/2 in turbulence",
        61,
        "Schwert (1989)",
        _share_of_short(deviation(_MARKET, 20), deviation(_MARKET, 60)),
    ),
    _of_market("market_breadth_10", "mean share of advancing stocks of 10 sessions", 11, "Zweig (1986)", mean(pl.col(ADVANCING), 10)),
    _of_market("market_breadth_60", "mean share of advancing stocks of 60 sessions", 61, "Zweig (1986)", mean(pl.col(ADVANCING), 60)),
    _of_market(
        "return_dispersion_5_60",
        "mean cross-sectional deviation of returns of 5 sessions over the sum of that and of 60 sessions'",
        61,
        "Stivers and Sun (2010)",
        _share_of_short(mean(pl.col(DISPERSION), 5), mean(pl.col(DISPERSION), 60)),
    ),
    _of_market(
        "average_correlation_60",
        "mean square of the market's returns over the stocks' mean squared return, of 60 sessions",
        61,
        "Pollet and Wilson (2010)",
        total(_MARKET * _MARKET, 60) / total(pl.col(SQUARED_RETURN), 60),
    ),
)
