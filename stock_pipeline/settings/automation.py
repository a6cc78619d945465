"""How Dagster's automation runs the stages."""

from typing import Annotated

from pydantic import AfterValidator, Field

from stock_pipeline.settings.kinds import Seconds, Section, sound_cron


class TaskSettings(Section):
    """Limits of a run started by automation."""

    timeout_seconds: Seconds = 1800
    retries: Annotated[int, Field(ge=0)] = 3
    retry_delay_seconds: Seconds = 60


class AutomationSettings(Section):
    """How automation runs: the nightly stages and the training of models each have their limits."""

    nightly: TaskSettings = TaskSettings()
    training: TaskSettings = TaskSettings(timeout_seconds=7200, retries=1)
    interval_seconds: Seconds = 30
    training_cron: Annotated[
        str, AfterValidator(sound_cron), Field(description="five cron fields, on the clock of the schedule's time zone")
    ] = "30 4 * * 6"
    freshness_hours: Annotated[int, Field(ge=1, description="an asset not materialised for so long is stale")] = 120
