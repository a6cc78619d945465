"""The sessions that drift compares."""

from pydantic import Field

from stock_pipeline.settings.kinds import Section, Sessions


class DriftSettings(Section):
    """The sessions that drift compares."""

    window_sessions: Sessions = Field(20, description="number of last sessions, which are compared with all sessions before them")
