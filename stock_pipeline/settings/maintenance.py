"""Retention of backups."""

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class MaintenanceSettings(Section):
    """Retention of backups."""

    backups_kept: int = Field(7, ge=1, description="sessions whose backups are kept")
