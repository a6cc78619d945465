"""What makes a bar suspect or unusable."""

from typing import Annotated

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Share


class QualitySettings(Section):
    """What makes a bar doubtful or unusable."""

    price_tolerance: Annotated[Share, Field(description="share by which an open or close may lie outside of low to high")] = 0.005
    jump_ratio: Annotated[
        float, Field(gt=1, description="overnight move that counts as a jump where the source tells nothing of corporate actions")
    ] = 1.4
    source_tolerance: Annotated[Share, Field(description="share by which two sources' closes may differ without a flag")] = 0.01
    minimum_coverage: Annotated[
        Share,
        Field(description=("share of the expected symbols that must have a bar of the last session; below it, nothing downstream is made")),
    ] = 0.95
