"""How Dagster's automation runs the stages."""

from typing import Annotated

from pydantic import AfterValidator, Field

from stock_pipeline.settings.kinds import Seconds, Section, sound_cron


class TaskSettings(Section):
    """Limits of a run started by automation."""

    timeout_seconds: Annotated[Seconds, Field(description="longest run of these stages")] = 1800
    retries: Annotated[int, Field(ge=0, description="how often a failed stage is tried again")] = 3
    retry_delay_seconds: Annotated[
        Seconds, Field(description="how long to wait before the first retry; each later one waits twice as long")
    ] = 60


class AutomationSettings(Section):
    """How automation runs: the nightly stages and the training of models each have their limits."""

    nightly: TaskSettings = TaskSettings()
    training: TaskSettings = TaskSettings(timeout_seconds=7200, retries=1)
    interval_seconds: Annotated[Seconds, Field(description="how often automation looks for something to do")] = 30
    training_cron: Annotated[
        str, AfterValidator(sound_cron), Field(description="when models are trained again, as five cron fields on the schedule's clock")
    ] = "30 4 * * 6"
    freshness_hours: Annotated[int, Field(ge=1, description="an asset not materialised for so long is stale")] = 120
