"""The limits beyond which a bar is suspect or unusable."""

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Share


class QualitySettings(Section):
    """The limits beyond which a bar is suspect or unusable."""

    price_tolerance: Share = Field(0.005, description="share by which an open or close may lie outside of low to high")
    jump_ratio: float = Field(1.4, gt=1, description="overnight move that counts as a jump where the source reports no corporate actions")
    suspect_ratio: float = Field(
        5.0,
        gt=1,
        description="unexplained move of the close from one bar to the next beyond which a bar is not believed until it is confirmed",
    )
    source_tolerance: Share = Field(0.01, description="share by which two sources' closes may differ without a flag")
    minimum_coverage: Share = Field(
        0.95, description="share of the expected symbols that must have a bar of the last session; below it, nothing downstream is made"
    )
