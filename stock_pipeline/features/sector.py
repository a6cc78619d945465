"""Sector-neutral features: where a stock stands among those of its own sector.

A rank within the sector is the same whatever the sector as a whole has done, so it is neutral to it. Stocks whose sector is not known
are ranked among each other.
"""

from dataclasses import replace
from typing import Final

from stock_pipeline.features.feature import Feature
from stock_pipeline.features.fundamentals import FUNDAMENTAL_FEATURES
from stock_pipeline.features.momentum import MOMENTUM_FEATURES
from stock_pipeline.features.volatility import VOLATILITY_FEATURES

_SOURCE: Final = "Asness, Porter and Stevens (2000)"
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
    return replace(feature, name=name, family="sector", formula=formula, source=_SOURCE, ranked="sector")


SECTOR_FEATURES: Final = tuple(
    _within_sector(feature) for feature in (*MOMENTUM_FEATURES, *VOLATILITY_FEATURES, *FUNDAMENTAL_FEATURES) if feature.name in _RANKED
)
