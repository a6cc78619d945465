"""When assets are made automatically: the schedule of ingestion, automation conditions, retries, freshness."""

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.orchestration.stage import Cadence, Key, Stage
from stock_pipeline.settings import Settings, TaskSettings

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

INGESTION_JOB = "nightly_ingestion"
FULL_RUN = "full_run"
WHAT_AUTOMATION_DOES: Final[dict[Cadence, str]] = {
    "nightly": "Launches the assets whose upstream assets, code or settings have changed, once blocking checks have passed.",
    "training": "Trains models that are missing, that are due by the schedule, or whose code or settings have changed.",
}
JITTER = dg.Jitter.PLUS_MINUS


def limits(settings: Settings, cadence: Cadence) -> TaskSettings:
    """Timeout and retries of the assets of a cadence."""
    return settings.automation.training if cadence == "training" else settings.automation.nightly


def retry_policy(settings: Settings, cadence: Cadence) -> dg.RetryPolicy:
    """The retry policy of a cadence: retries within the run, with exponential backoff."""
    task = limits(settings, cadence)
    return dg.RetryPolicy(max_retries=task.retries, delay=task.retry_delay_seconds, backoff=dg.Backoff.EXPONENTIAL, jitter=JITTER)


def freshness_policy(settings: Settings) -> dg.FreshnessPolicy:
    """A time window from the settings, wide enough for a long weekend: cron policies raise false alarms on holidays."""
    window = timedelta(hours=settings.automation.freshness_hours)
    return dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 0.8)


def condition_of(settings: Settings, cadence: Cadence, ingested: Sequence[Key]) -> dg.AutomationCondition[Any] | None:
    """The condition under which an asset of that cadence is due; None for ingestion, which runs by schedule.

    Nightly assets follow their upstream assets, once the blocking checks of these have passed, which ``eager`` alone does not require,
    and once all of ingestion is recorded: its assets come one after another, and a look between two would split the night into many runs.
    Models are trained when missing, unless that has just failed, and at the scheduled times, also only after those checks. Both are due
    when their code or a setting that their rows depend on has changed.

    Args:
        settings: for the schedule of trainings.
        cadence: of the asset.
        ingested: the keys of the assets of ingestion.
    """
    if cadence == "ingestion":
        return None
    condition: Any = dg.AutomationCondition  # its types distinguish assets from checks where its operators do not
    changed = condition.code_version_changed().since_last_handled() & ~condition.any_deps_missing() & ~condition.in_progress()
    changed = changed.with_label("code_or_settings_changed")
    if cadence == "nightly":
        at_work = [condition.asset_matches(dg.AssetKey(key), condition.in_progress()) for key in ingested]
        due = condition.eager()
        if at_work:
            due = due & ~reduce(or_, at_work).with_label("ingestion_in_progress")
    else:
        due = condition.missing() & ~condition.any_deps_missing() & ~condition.in_progress() & ~condition.execution_failed()
    if cadence == "training" and settings.registry.retraining.on_schedule:
        tick = condition.cron_tick_passed(settings.automation.training_cron, settings.schedule.time_zone)
        due = due | (tick & ~condition.in_progress())
    whole: dg.AutomationCondition[Any] = (due | changed) & condition.all_deps_blocking_checks_passed()
    return whole


def automation_sensors(stages: Sequence[Stage], settings: Settings) -> list[dg.AutomationConditionSensorDefinition]:
    """One sensor per cadence over the groups of its stages, running by default; its runs carry the cadence's timeout."""
    cadences: tuple[Cadence, ...] = ("nightly", "training")
    return [
        dg.AutomationConditionSensorDefinition(
            name=f"{cadence}_automation",
            description=WHAT_AUTOMATION_DOES[cadence],
            target=dg.AssetSelection.groups(*dict.fromkeys(stage.keys[0][0] for stage in stages if stage.cadence == cadence)),
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=settings.automation.interval_seconds,
            run_tags=run_tags(settings, cadence),
        )
        for cadence in cadences
    ]


def run_tags(settings: Settings, cadence: Cadence) -> dict[str, str]:
    """The tags that put the cadence's timeout on a run."""
    return {"dagster/max_runtime": str(limits(settings, cadence).timeout_seconds)}


def ingestion_job(group: str, settings: Settings) -> "UnresolvedAssetJobDefinition":
    """The job that ingests market data; automation makes everything else."""
    return dg.define_asset_job(
        INGESTION_JOB,
        selection=dg.AssetSelection.groups(group),
        tags=run_tags(settings, "ingestion"),
        description="Bring market data up to the last session; automation then brings everything downstream up to date.",
    )


def ingestion_schedule(job: "UnresolvedAssetJobDefinition", settings: Settings) -> dg.ScheduleDefinition:
    """The schedule of ingestion, on sessions at the time of the settings. Missed nights need no backfill: one run fills any gap."""
    hour, minute = settings.schedule.time.split(":")

    def on_trading_day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        from zoneinfo import ZoneInfo

        day = context.scheduled_execution_time.astimezone(ZoneInfo(settings.schedule.time_zone)).date()
        if not trading_calendar(settings.exchange).is_session(day):
            return dg.SkipReason(f"{day} is not a session of {settings.exchange}")
        return dg.RunRequest(run_key=f"ingestion-{day}")

    return dg.ScheduleDefinition(
        name="nightly_ingestion_schedule",
        description="Requests ingestion after every session of the exchange; automation brings everything downstream up to date.",
        job=job,
        cron_schedule=f"{int(minute)} {int(hour)} * * 1-5",
        execution_timezone=settings.schedule.time_zone,
        execution_fn=on_trading_day,
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.schedule.enabled else dg.DefaultScheduleStatus.STOPPED,
    )
