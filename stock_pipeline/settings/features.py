"""The features that models learn from."""

from typing import Literal

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class FeatureSettings(Section):
    """The features that models learn from."""

    set: Literal["core", "extended", "alpha158", "combined"] = Field(
        "core", description="what models learn from: `core`, `extended`, `alpha158` or `combined`; see [features](features.md)"
    )
