"""The schedule of the log: how often, on whose clock, and of which assets."""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from stock_pipeline.orchestration.asset_factory import build_asset
from stock_pipeline.performance.assets import STAGES
from stock_pipeline.performance.sensors import PERFORMANCE_JOB, performance_schedule
from stock_pipeline.settings import Settings
from stock_pipeline_tests.factories.rows import empty_stores, ingested
from stock_pipeline_tests.harness.plain_settings import plain_settings


def defined(settings: Settings) -> dg.Definitions:
    resources = {name: dg.ResourceDefinition.hardcoded_resource(None) for name in ("market", "ml", "scope")}
    assets = [build_asset(stage, STAGES, settings) for stage in STAGES]
    return dg.Definitions(assets=assets, schedules=[performance_schedule(settings)], resources=resources)


def tick(settings: Settings) -> object:
    """What the schedule answers at a tick."""
    repository = defined(settings).get_repository_def()
    (schedule,) = repository.schedule_defs
    with dg.DagsterInstance.ephemeral() as instance:
        moment = datetime(2024, 5, 3, 12, tzinfo=UTC)
        return schedule.evaluate_tick(dg.build_schedule_context(instance, scheduled_execution_time=moment, repository_def=repository))


@pytest.mark.parametrize(("hours", "cron"), [(1, "0 * * * *"), (6, "0 */6 * * *"), (24, "0 0 * * *")])
def test_it_comes_every_so_many_hours_on_the_clock_of_the_settings(hours: int, cron: str) -> None:
    settings = plain_settings(Path("nowhere"), performance={"every_hours": hours}, schedule={"time_zone": "Asia/Tokyo"})
    schedule = performance_schedule(settings)
    assert (schedule.cron_schedule, schedule.execution_timezone) == (cron, "Asia/Tokyo")


@pytest.mark.parametrize(("enabled", "status"), [(True, dg.DefaultScheduleStatus.RUNNING), (False, dg.DefaultScheduleStatus.STOPPED)])
def test_it_runs_where_schedules_are_wanted(enabled: bool, status: dg.DefaultScheduleStatus) -> None:
    assert performance_schedule(plain_settings(Path("nowhere"), schedule={"enabled": enabled})).default_status == status


def test_it_makes_the_assets_of_the_stage_within_the_time_of_a_night() -> None:
    settings = plain_settings(Path("nowhere"), automation={"nightly": {"timeout_seconds": 77}})
    job = defined(settings).get_repository_def().get_job(PERFORMANCE_JOB)
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == {
        "performance/daily_performance",
        "performance/performance_log",
    }
    assert job.tags["dagster/max_runtime"] == "77"


def test_before_there_are_bars_it_waits(tmp_path: Path) -> None:
    assert tick(plain_settings(tmp_path)).skip_message == "there are no bars yet"  # type: ignore[attr-defined]
    empty_stores(tmp_path)
    assert tick(plain_settings(tmp_path)).skip_message == "there are no bars yet"  # type: ignore[attr-defined]


def test_once_there_are_bars_it_asks_for_a_run(tmp_path: Path) -> None:
    ingested(tmp_path, date(2024, 5, 2))
    assert len(tick(plain_settings(tmp_path)).run_requests) == 1  # type: ignore[attr-defined]
