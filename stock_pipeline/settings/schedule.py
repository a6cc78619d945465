"""When the nightly ingestion starts."""

from typing import Annotated

from pydantic import AfterValidator, Field

from stock_pipeline.settings.kinds import Section, TimeOfDay, known_time_zone


class ScheduleSettings(Section):
    """When the nightly ingestion starts, on trading days."""

    enabled: bool = Field(True, description="whether the nightly schedule and the watchdog run")
    time: TimeOfDay = Field("22:45", description="when ingestion starts on trading days")
    time_zone: Annotated[str, AfterValidator(known_time_zone)] = Field("America/New_York", description="time zone of that time")
