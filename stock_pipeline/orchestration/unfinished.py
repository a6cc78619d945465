"""The sensor that finishes what a killed night has left: it compares every asset with the market store, and launches what is behind.

Automation conditions follow events, and an event that a killed process did not record never comes. The stores tell what is missing.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from stock_pipeline.orchestration.automation import FULL_RUN, run_tags
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.stage import Key, Stage, dependencies
from stock_pipeline.settings import Settings
from stock_pipeline.storage import open_stores

LOOKS: Final = 4  # in a row; automation, which looks as often, has launched by then what it can
UNFINISHED: Final = "unfinished_assets"
FAILED: Final = "FAILED"  # the status of a check


@dataclass(frozen=True)
class Standing:
    """How far every asset has come, as the stores tell."""

    reached: date  # the session that ingestion has reached
    watermarks: Mapping[str, date]  # of every asset that has one
    executed: Collection[str]  # the assets that have ever been executed to the end
    up_with_market: Collection[str]  # those that have seen the last write to the market store, whatever they made of it
    cut_short: Collection[str]  # those whose last write was not followed by the end of its execution, so that nothing judged it


def behind(stages: Sequence[Stage], standing: Standing, barred: Collection[Key]) -> list[Stage]:
    """The stages to be executed for all assets to come to the session that ingestion has reached, in their order.

    They are those that were cut short, nightly ones that lie before that session and have not looked at it, and trainings that were
    never executed to the end. Stages downstream of a barred asset are left out, as nothing may be made of it.

    Args:
        stages: all stages of the project, in the order in which data travels.
        standing: how far they have come.
        barred: the keys of the assets of which nothing may be made, such as those whose blocking check failed.
    """
    held, found = set(barred), []
    for stage in stages:
        if held.intersection(dependencies(stage, stages)):
            held.update(stage.keys)
        elif stage.name in standing.cut_short or _lags(stage, standing):
            found.append(stage)
    return found


def _lags(stage: Stage, standing: Standing) -> bool:
    if stage.cadence == "nightly":
        has_looked = stage.name in standing.up_with_market  # one that is switched off by a setting looks, and stays where it is
        return standing.watermarks.get(stage.name, date.min) < standing.reached and not has_looked
    return stage.cadence == "training" and stage.name not in standing.executed


def unfinished_assets(settings: Settings, stages: Sequence[Stage], left_out: Collection[str] = ()) -> dg.SensorDefinition:
    """The sensor that launches the assets that several looks in a row have found behind, with no run at work.

    Args:
        settings: for the stores, the interval and the time limits.
        stages: all stages of the project.
        left_out: the names of those that the settings leave out, such as models that are not to be trained.
    """

    @dg.sensor(
        name=UNFINISHED,
        job_name=FULL_RUN,
        minimum_interval_seconds=settings.automation.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedule.enabled else dg.DefaultSensorStatus.STOPPED,
        description="Launches assets that have not come to the last session ingested, as after a night whose processes were killed.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if context.instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES), limit=1):
            context.update_cursor(None)  # what is behind now may be at work
            return dg.SkipReason("a run is at work")
        stores = open_stores(settings.home, settings.lock_wait_seconds)
        reached = stores.market_session() if stores.exist else None
        if reached is None:
            return dg.SkipReason("no session has been ingested yet")
        executed = stores.last_executions().keys()
        standing = Standing(reached, stores.watermarks(), executed, stores.up_with_market(), stores.cut_short())
        found = behind(stages, standing, _barred(context.instance, stages))
        missing = [stage for stage in found if stage.name not in left_out]
        before = json.loads(context.cursor or "{}")
        looks = {stage.name: before.get(stage.name, 0) + 1 for stage in missing}
        context.update_cursor(json.dumps(looks))
        if not looks:
            return dg.SkipReason(f"every asset has come to {reached}")
        left = [stage for stage in missing if looks[stage.name] >= LOOKS]
        if not left:
            return dg.SkipReason(f"behind {reached}, to be launched if they still are after {LOOKS} looks: {', '.join(looks)}")
        keys = [dg.AssetKey(key) for stage in left for key in stage.keys]
        tags = run_tags(settings, "training" if any(stage.cadence == "training" for stage in left) else "nightly")
        request = dg.RunRequest(f"{UNFINISHED}-{reached}-{utc_now():%Y%m%d%H}", asset_selection=keys, tags=tags)
        return dg.SensorResult([request])

    return look


def _barred(instance: dg.DagsterInstance, stages: Sequence[Stage]) -> set[Key]:
    """The keys of the assets whose blocking check failed when it was last judged."""
    keys = {
        dg.AssetCheckKey(dg.AssetKey(stage.keys[0]), spec.name): stage.keys[0]
        for stage in stages
        for check in stage.checks
        for spec in check.specs
        if spec.blocking
    }
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    return {keys[check] for check, record in records.items() if record.status.value == FAILED}
