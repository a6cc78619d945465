"""What is kept."""

from typing import Annotated

from pydantic import Field

from stock_pipeline.settings.kinds import Section


class MaintenanceSettings(Section):
    """What is kept."""

    backups_kept: Annotated[int, Field(ge=1, description="sessions whose backups are kept")] = 7
