"""What models learn from."""

from typing import Annotated, Literal

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class FeatureSettings(Section):
    """What models learn from."""

    set: Annotated[
        Literal["core", "extended", "alpha158", "combined"],
        Field(description="what models learn from: `core`, `extended`, `alpha158` or `combined`; see [features](features.md)"),
    ] = "core"
