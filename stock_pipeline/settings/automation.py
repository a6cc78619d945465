"""How Dagster's automation runs the stages."""

from typing import Annotated

from pydantic import AfterValidator, Field

from stock_pipeline.settings.cron import sound_cron
from stock_pipeline.settings.kinds import Hours, Seconds, Section


class TaskSettings(Section):
    """Limits of a run started by automation."""

    timeout_seconds: Seconds = Field(1800, description="longest run of these stages")
    retries: int = Field(3, ge=0, description="how often a failed asset is tried again")
    retry_delay_seconds: Seconds = Field(60, description="how long to wait before the first retry; each later one waits twice as long")


class AutomationSettings(Section):
    """Limits of automated runs, for the nightly stages and for the training of models, and their times."""

    nightly: TaskSettings = TaskSettings()
    training: TaskSettings = TaskSettings(timeout_seconds=7200, retries=1)
    interval_seconds: Seconds = Field(30, description="how often automation looks for stages that are due")
    training_cron: Annotated[str, AfterValidator(sound_cron)] = Field(
        "30 4 * * 6", description="when models are trained again, as five cron fields on the schedule's clock"
    )
    freshness_hours: Hours = Field(120, description="an asset not materialised for so long is stale")
