"""Alpha158, the 158 features that Qlib computes from daily bars, under its names and in its order.

Source: X. Yang, W. Liu, D. Zhou, J. Bian, T.-Y. Liu, Qlib: An AI-oriented Quantitative Investment Platform (2020).

They differ from Qlib's where those depend on a unit: nothing is added to a divisor, and logs are of the volume itself. The bars
carry no volume-weighted mean price; VWAP0 takes the typical price for it.
"""

from typing import Final

from stock_pipeline.features.alpha158.candle import CANDLE_FEATURES
from stock_pipeline.features.alpha158.price_windows import PRICE_LEVEL_FEATURES, PRICE_MOVE_FEATURES
from stock_pipeline.features.alpha158.volume_windows import PRICE_WITH_VOLUME_FEATURES, VOLUME_WINDOW_FEATURES
from stock_pipeline.features.feature import Feature

ALPHA158_FEATURES: Final[tuple[Feature, ...]] = (
    *CANDLE_FEATURES,
    *PRICE_LEVEL_FEATURES,
    *PRICE_WITH_VOLUME_FEATURES,
    *PRICE_MOVE_FEATURES,
    *VOLUME_WINDOW_FEATURES,
)
