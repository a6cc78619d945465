"""How the performance of models is logged."""

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class PerformanceSettings(Section):
    """How the performance of models is logged."""

    every_hours: int = Field(6, ge=1, le=24, description="hours between two entries of the performance log, 1 to 24")
