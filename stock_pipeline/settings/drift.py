"""What drift compares with what."""

from typing import Annotated

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Sessions


class DriftSettings(Section):
    """What is compared with what."""

    current_sessions: Annotated[Sessions, Field(description="last sessions that are compared with those before")] = 20
