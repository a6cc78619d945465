"""A schedule that measures performance every few hours, so that the log is complete whatever automation does."""

import dagster as dg

from stock_pipeline.orchestration.automation import run_tags
from stock_pipeline.orchestration.stage import key_of
from stock_pipeline.performance.tables import DAILY_PERFORMANCE, PERFORMANCE_LOG
from stock_pipeline.settings import Settings
from stock_pipeline.storage import open_stores

PERFORMANCE_JOB = "performance_logging"
PERFORMANCE_SCHEDULE = "performance_schedule"


def performance_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The schedule that joins predictions to outcomes and logs performance every ``performance.every_hours`` hours, from midnight on."""
    job = dg.define_asset_job(
        PERFORMANCE_JOB,
        selection=dg.AssetSelection.assets(*(dg.AssetKey(key_of(table)) for table in (DAILY_PERFORMANCE, PERFORMANCE_LOG))),
        tags=run_tags(settings, "nightly"),
        description="Join predictions to the outcomes known by now, and log the performance of each model.",
    )

    def where_there_are_bars(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        stores = open_stores(settings.home, settings.lock_wait_seconds)
        if not stores.exist or stores.market_session() is None:
            return dg.SkipReason("there are no bars yet")
        return dg.RunRequest()

    every = settings.performance.every_hours
    return dg.ScheduleDefinition(
        name=PERFORMANCE_SCHEDULE,
        description="Joins predictions to the outcomes known by now, and logs performance, every few hours.",
        job=job,
        cron_schedule=f"0 {'*' if every == 1 else '0' if every == 24 else f'*/{every}'} * * *",  # a step of 24 hours has no sure meaning
        execution_timezone=settings.schedule.time_zone,
        execution_fn=where_there_are_bars,
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.schedule.enabled else dg.DefaultScheduleStatus.STOPPED,
    )
