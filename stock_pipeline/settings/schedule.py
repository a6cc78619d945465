"""When the nightly ingestion starts."""

from typing import Annotated

from pydantic import AfterValidator, Field

from stock_pipeline.settings.kinds import Section, known_time_zone


class ScheduleSettings(Section):
    """When the nightly ingestion starts, on trading days."""

    enabled: Annotated[bool, Field(description="whether the nightly schedule and the watchdog run")] = True
    time: Annotated[str, Field(pattern="^([01]\\d|2[0-3]):[0-5]\\d$", description="when ingestion starts on trading days")] = "22:45"
    time_zone: Annotated[str, AfterValidator(known_time_zone), Field(description="whose clock that is")] = "America/New_York"
