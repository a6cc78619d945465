"""What drift compares with what."""

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Sessions


class DriftSettings(Section):
    """What is compared with what."""

    window_sessions: Sessions = Field(20, description="last sessions that are compared with those before")
