"""How the performance of models is logged."""

from typing import Annotated

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class PerformanceSettings(Section):
    """How the performance of models is logged."""

    every_hours: Annotated[int, Field(ge=1, le=24, description="hours between two entries of the performance log, 1 to 24")] = 6
    cost_bps: Annotated[float, Field(ge=0, description="cost of a trade's way in and out together, in basis points")] = 10.0
