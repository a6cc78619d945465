"""The feature sets, and the features of each in the order of their columns."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from stock_pipeline.core.named import entry_named
from stock_pipeline.features.alpha158 import ALPHA158_FEATURES
from stock_pipeline.features.compute import METHOD, session_span
from stock_pipeline.features.cross_section import CROSS_SECTION_FEATURES, SECTOR_FEATURES
from stock_pipeline.features.factors import FACTOR_FEATURES
from stock_pipeline.features.feature import Feature, dependency_levels
from stock_pipeline.features.fundamentals import FUNDAMENTAL_FEATURES
from stock_pipeline.features.momentum import MOMENTUM_FEATURES
from stock_pipeline.features.regime import REGIME_FEATURES
from stock_pipeline.features.seasonality import SEASONALITY_FEATURES
from stock_pipeline.features.volatility import VOLATILITY_FEATURES
from stock_pipeline.features.volume import VOLUME_FEATURES


@dataclass(frozen=True)
class FeatureSet:
    """Features that are computed together and that models learn from together.

    Raises:
        ValueError: two features share a name, or two different series that they are made of.
    """

    name: str
    description: str
    features: tuple[Feature, ...]
    display_feature: str  # the feature that orders the stocks in charts
    auxiliary: tuple[Feature, ...] = ()  # made and stored with the set, but not learned from

    def __post_init__(self) -> None:
        names = [feature.name for feature in self.made]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"feature set {self.name!r} names {', '.join(repeated)} more than once")
        dependency_levels(series for feature in self.made for series in feature.inputs)  # refuses two different ones of one name

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features to learn from, in the order of the columns."""
        return tuple(feature.name for feature in self.features)

    @property
    def made(self) -> tuple[Feature, ...]:
        """Every feature that is computed and stored, in the order of the columns."""
        return (*self.features, *self.auxiliary)

    @cached_property
    def span(self) -> int:
        """How many sessions, the current one included, the features depend on; see ``compute.session_span``."""
        return session_span(self.made)

    @cached_property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """The bounds of the features of the market, which are the same for every stock of a session."""
        return {feature.name: feature.bounds for feature in self.features if feature.bounds is not None}

    @property
    def needs_sectors(self) -> bool:
        """Whether a feature compares a stock with its sector."""
        return any(feature.ranked == "sector" for feature in self.features)

    @property
    def needs_reports(self) -> bool:
        """Whether a feature rests on what companies report."""
        return any(feature.on == "bar" for feature in self.features)

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) over all that the values depend on: when it changes, stored features are rebuilt."""
        digest = hashlib.sha256(f"{METHOD}\n".encode())
        for feature in self.made:
            digest.update(f"{feature.name}\t{feature.formula}\t{feature.look_back}\t{feature.ranked}\t{feature.on}\n".encode())
            shared = [expression for layer in dependency_levels(feature.inputs) for expression in layer.values()]
            for expression in (*shared, feature.expression):
                digest.update(expression.meta.serialize())  # as text an expression leaves out the lengths of its windows
        return digest.hexdigest()


# How a stock moves with the market and with others of its kind, which is no news of the stock itself; every set has them.
VOLATILITY_EXPOSURE: Final = "volatility_60"
EXPOSURES: Final = (VOLATILITY_EXPOSURE, "beta_60", "momentum_60_5")

CORE: Final = FeatureSet(
    "core",
    "price, volatility, volume and cross-section",
    (*MOMENTUM_FEATURES, *VOLATILITY_FEATURES, *VOLUME_FEATURES, *CROSS_SECTION_FEATURES),
    "momentum_60_5",
)
EXTENDED: Final = FeatureSet(
    "extended",
    "core, and fundamentals as known that night, the market's regime, ranks within the sector, what common factors leave, and weekdays",
    (*CORE.features, *FUNDAMENTAL_FEATURES, *REGIME_FEATURES, *SECTOR_FEATURES, *FACTOR_FEATURES, *SEASONALITY_FEATURES),
    CORE.display_feature,
)
ALPHA158: Final = FeatureSet(
    "alpha158",
    "Qlib's Alpha158 by its names and definitions",
    ALPHA158_FEATURES,
    "ROC60",
    tuple(feature for feature in CORE.features if feature.name in EXPOSURES),
)
COMBINED: Final = FeatureSet(
    "combined",
    "extended and alpha158 together",
    (*EXTENDED.features, *ALPHA158_FEATURES),
    CORE.display_feature,
)
FEATURE_SETS: Final = (CORE, EXTENDED, ALPHA158, COMBINED)


def feature_set(name: str) -> FeatureSet:
    """The feature set of that name.

    Raises:
        InputError: there is none.
    """
    return entry_named(name, FEATURE_SETS, "feature set")


def hash_features(names: Sequence[str]) -> str:
    """First 16 hex digits of the SHA-256 over the features' names, in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def as_markdown(features: Sequence[Feature]) -> str:
    """The features as a Markdown table: name, family, formula, look-back in sessions, source."""
    head = ["| feature | family | formula | sessions | source |", "| --- | --- | --- | ---: | --- |"]
    return "\n".join(head + [f"| {f.name} | {f.family} | {f.formula} | {f.look_back} | {f.source} |" for f in features])
