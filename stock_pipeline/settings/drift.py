"""What drift compares with what."""

from stock_pipeline.settings.kinds import Section, Sessions


class DriftSettings(Section):
    """What is compared with what."""

    current_sessions: Sessions = 20
