"""Features that set a stock against the others of its session or its sector: ranks, and what the market does not explain.

The market is the universe, each of its stocks with a bar in the session weighing the same.

A rank within the sector is the same whatever the sector as a whole has done, so it is neutral to it. Stocks whose sector is not known
are ranked among each other.
"""

from dataclasses import replace
from functools import partial
from typing import Final

import polars as pl

from stock_pipeline.features.bars import RETURN
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.fundamentals import FUNDAMENTAL_FEATURES
from stock_pipeline.features.market import MARKET_RETURN
from stock_pipeline.features.momentum import MOMENTUM_FEATURES, past_return
from stock_pipeline.features.volatility import VOLATILITY_FEATURES, volatility
from stock_pipeline.features.windows import mean, regression_slope

_RETURN = pl.col(RETURN)
_MARKET = pl.when(_RETURN.is_not_null()).then(MARKET_RETURN)
_BETA = regression_slope(_RETURN, _MARKET, 60)

_feature = partial(Feature, family="cross_section")

CROSS_SECTION_FEATURES: Final = (
    _feature("return_1_rank", "rank of return_1 within the session", 2, "Jegadeesh (1990)", past_return(1), ranked="session"),
    _feature("return_5_rank", "rank of return_5 within the session", 6, "Lehmann (1990)", past_return(5), ranked="session"),
    _feature("return_20_rank", "rank of return_20 within the session", 21, "Jegadeesh (1990)", past_return(20), ranked="session"),
    _feature(
        "volatility_20_rank",
        "rank of volatility_20 within the session",
        21,
        "Ang, Hodrick, Xing and Zhang (2006)",
        volatility(20),
        ranked="session",
    ),
    _feature("beta_60", "slope of 60 daily returns on those of the equal-weighted market", 61, "Sharpe (1964)", _BETA),
    _feature(
        "residual_return_20",
        "mean daily return of 20 sessions, less beta_60 times the market's",
        61,
        "Blitz, Huij and Martens (2011)",
        mean(_RETURN, 20) - _BETA * mean(_MARKET, 20),
    ),
)

_SECTOR_SOURCE: Final = "Asness, Porter and Stevens (2000)"
_RANKED: Final = (
    "return_5",
    "return_20",
    "momentum_60_5",
    "volatility_20",
    "earnings_yield",
    "book_to_price",
    "return_on_equity",
)


def _within_sector(feature: Feature) -> Feature:
    name, formula = f"{feature.name}_sector_rank", f"rank of {feature.name} among the stocks of the sector in the session"
    return replace(feature, name=name, family="sector", formula=formula, source=_SECTOR_SOURCE, ranked="sector")


SECTOR_FEATURES: Final = tuple(
    _within_sector(feature) for feature in (*MOMENTUM_FEATURES, *VOLATILITY_FEATURES, *FUNDAMENTAL_FEATURES) if feature.name in _RANKED
)
