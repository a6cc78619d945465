"""The features that make the set, in the order of their columns."""

import hashlib
from collections.abc import Sequence
from typing import Final

from stock_pipeline.features.cross_section import CROSS_SECTION_FEATURES
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.grid import FILL_SESSIONS
from stock_pipeline.features.momentum import MOMENTUM_FEATURES
from stock_pipeline.features.volatility import VOLATILITY_FEATURES
from stock_pipeline.features.volume import VOLUME_FEATURES

FEATURE_SET: Final = "core"


def checked(features: Sequence[Feature]) -> tuple[Feature, ...]:
    """The features, once no two of them share a name.

    Raises:
        ValueError: a name occurs twice.
    """
    names = [feature.name for feature in features]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"feature set {FEATURE_SET!r} names {', '.join(repeated)} more than once")
    return tuple(features)


CATALOGUE: Final[tuple[Feature, ...]] = checked((*MOMENTUM_FEATURES, *VOLATILITY_FEATURES, *VOLUME_FEATURES, *CROSS_SECTION_FEATURES))


def feature_names(features: Sequence[Feature] = CATALOGUE) -> tuple[str, ...]:
    """The names, in the order of the columns."""
    return tuple(feature.name for feature in features)


def look_back(features: Sequence[Feature] = CATALOGUE) -> int:
    """Sessions of history, the current one included, from which every feature follows.

    The longest span of a formula, and the sessions by which the prices at its far end may have been carried forward.
    """
    return max((feature.look_back for feature in features), default=0) + FILL_SESSIONS


def catalogue_hash(features: Sequence[Feature] = CATALOGUE) -> str:
    """SHA-256 (hex) over names, formulas and expressions in their order: when it changes, stored features are made again."""
    digest = hashlib.sha256()
    for feature in features:
        digest.update(f"{feature.name}\t{feature.formula}\t{feature.ranked}\n".encode())
        digest.update(feature.expression.meta.serialize())  # as text an expression leaves out the lengths of its windows
    return digest.hexdigest()


def as_markdown(features: Sequence[Feature] = CATALOGUE) -> str:
    """The features as a Markdown table: name, family, formula, look-back in sessions, source."""
    head = ["| feature | family | formula | sessions | source |", "| --- | --- | --- | ---: | --- |"]
    return "\n".join(head + [f"| {f.name} | {f.family} | {f.formula} | {f.look_back} | {f.source} |" for f in features])
