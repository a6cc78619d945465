"""How long versions, their results and backups are kept."""

from pydantic import Field

from stock_pipeline.settings.kinds import Days, Section


class RetentionSettings(Section):
    """How long versions, their results and backups are kept."""

    versions: int = Field(30, ge=1, description="versions per model whose artefacts stay in place; older ones are archived")
    archive_after_days: Days = Field(180, description="days after retirement or rejection until a version is archived")
    live_results_days: Days = Field(90, description="days for which the live results of versions are kept")
    backups: int = Field(7, ge=1, description="sessions whose backups are kept")
