"""When the nightly ingestion starts."""

from typing import Annotated

from pydantic import AfterValidator, Field

from stock_pipeline.settings.kinds import Section, known_time_zone


class ScheduleSettings(Section):
    """When the nightly ingestion starts, on trading days."""

    enabled: bool = True
    time: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM on the clock of time_zone")] = "22:45"
    time_zone: Annotated[str, AfterValidator(known_time_zone)] = "America/New_York"
