"""Executions in this process as the Dagster instance and other processes see them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from filelock import FileLock

from stock_pipeline.core.errors import InputError
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.orchestration.asset_factory import build_asset, code_version
from stock_pipeline.orchestration.context import CheckOutcome, StageContext, StageOutput
from stock_pipeline.orchestration.dagster_run import PROCESS_TAG
from stock_pipeline.orchestration.execution import Run, StageResult, execute_stages
from stock_pipeline.orchestration.in_process import alone, recording
from stock_pipeline.orchestration.instance import prepare_dagster_home
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.resources import resources
from stock_pipeline.orchestration.stage import CheckSpec, Stage, StageCheck
from stock_pipeline.settings import Settings
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.asset_harness import DAYS, KEY, Body, declared, output
from stock_pipeline_tests.harness.plain_settings import plain_settings

JOB = "full_run"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    ingested(tmp_path / "data", DAYS[3])
    return plain_settings(tmp_path / "data")


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(settings))) as opened:
        yield opened


def record_all(settings: Settings, *stages: Stage, **options: Any) -> str:
    run = Run(ingested(settings.home, DAYS[3]), settings, RunOptions(**options), strict=True)
    with alone(settings.home), recording(run, JOB, stages) as record:
        for result in execute_stages(stages, run):
            record(result)
    return run.run_id


def judge(_context: StageContext) -> dict[str, CheckOutcome]:
    return {"sound": CheckOutcome(False, {"largest": 5}), "small": CheckOutcome(True)}


def downstream(body: Any = lambda _context: output_of_nothing()) -> Stage:
    """An asset without a table, made of the backups."""
    return Stage((("maintenance", "copies"),), "Made up.", (), reads=(BACKUPS,), body=body)


def output_of_nothing() -> StageOutput:
    return StageOutput(writes=(), watermark=DAYS[3])


def event_count(instance: dg.DagsterInstance, run_id: str) -> int:
    return len(instance.all_logs(run_id))


def unsynced(instance: dg.DagsterInstance, settings: Settings, *stages: Stage) -> set[str]:
    """The assets that the web UI marks as unsynced."""
    definitions = dg.Definitions(assets=[build_asset(stage, stages, settings) for stage in stages], resources=resources(settings))
    graph = definitions.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    keys = [dg.AssetKey(key) for stage in stages for key in stage.keys]
    return {key.to_user_string() for key in keys if resolver.get_status(key).value != "FRESH"}


def test_materialisations_and_checks_are_there_for_the_web_ui_to_show(settings: Settings, instance: dg.DagsterInstance) -> None:
    check = StageCheck((CheckSpec("sound", "", blocking=True), CheckSpec("small", "", warns=True)), judge)
    stage = declared(lambda _context: output(), checks=(check,), settings=("backtest",))
    record_all(settings, stage)
    event = instance.get_latest_materialization_event(KEY)
    assert event is not None and event.asset_materialization is not None
    shown = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert (shown["result"], shown["size"], shown["dagster/row_count"]) == ("brought up to date", 5, 1)
    tags = event.asset_materialization.tags or {}
    assert (tags["dagster/code_version"], tags["dagster/data_version"]) == (code_version(stage, settings), "1")
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(KEY, name) for name in ("up_to_date", "sound", "small")]
    )
    found = {key.name: record.event.dagster_event.asset_check_evaluation_data for key, record in records.items()}  # type: ignore[union-attr]
    assert {name: (data.passed, data.blocking, data.severity.value) for name, data in found.items()} == {
        "up_to_date": (True, False, "WARN"),
        "sound": (False, True, "ERROR"),
        "small": (True, False, "WARN"),
    }


def test_a_run_stands_on_the_page_of_its_job(settings: Settings, instance: dg.DagsterInstance) -> None:
    run_id = record_all(settings, declared(lambda _context: output()), downstream())
    run = instance.get_run_by_id(run_id)
    assert run is not None and run.remote_job_origin is not None
    assert (run.job_name, run.status) == (JOB, dg.DagsterRunStatus.SUCCESS)
    shown = instance.get_runs(dg.RunsFilter(job_name=JOB, tags={".dagster/repository": "__repository__@stock_pipeline"}))
    assert [one.run_id for one in shown] == [run_id]
    record = instance.get_run_record_by_id(run_id)
    assert record is not None and record.start_time is not None and record.end_time is not None


def raising(_context: StageContext) -> StageOutput:
    raise ValueError("no [memory]")


@pytest.mark.parametrize("tolerated", [True, False])
def test_a_run_in_which_something_failed_is_red_and_says_why(tolerated: bool, settings: Settings, instance: dg.DagsterInstance) -> None:
    run_id = record_all(settings, declared(raising, tolerates_failure=tolerated), downstream())
    run = instance.get_run_by_id(run_id)
    assert run is not None and run.status == dg.DagsterRunStatus.FAILURE
    (ended,) = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event and entry.dagster_event.is_job_failure]
    assert ended.message == "maintenance/backups: no [memory]"


def test_a_run_whose_blocking_check_failed_is_red(settings: Settings, instance: dg.DagsterInstance) -> None:
    check = StageCheck((CheckSpec("sound", "", blocking=True), CheckSpec("small", "", warns=True)), judge)
    run = instance.get_run_by_id(record_all(settings, declared(lambda _context: output(), checks=(check,))))
    assert run is not None and run.status == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("body", [lambda _context: None, lambda _context: output()], ids=["nothing to do", "the same rows again"])
def test_nothing_is_materialised_where_nothing_was_made(body: Body, settings: Settings, instance: dg.DagsterInstance) -> None:
    stages = (declared(body), downstream(lambda _context: None))
    first = record_all(settings, declared(lambda _context: output()), downstream())
    again = record_all(settings, *stages)
    assert event_count(instance, first) > event_count(instance, again) == 2  # its start and its end
    latest = instance.get_latest_materialization_event(KEY)
    assert latest is not None and latest.run_id == first


def test_what_has_never_made_anything_is_not_materialised(settings: Settings, instance: dg.DagsterInstance) -> None:
    record_all(settings, declared(lambda _context: None), downstream(lambda _context: None))
    assert instance.get_latest_materialization_event(KEY) is None


def test_the_same_rows_for_a_later_session_are_made(settings: Settings, instance: dg.DagsterInstance) -> None:
    record_all(settings, declared(lambda _context: output(watermark=DAYS[2])))
    later = record_all(settings, declared(lambda _context: output()))
    event = instance.get_latest_materialization_event(KEY)
    assert event is not None and event.run_id == later and event.asset_materialization is not None
    shown = event.asset_materialization.metadata
    assert shown["watermark"].value == str(DAYS[3]) and "curve" not in shown  # the picture is with the rows that it shows


def test_a_check_is_recorded_again_only_with_another_result(settings: Settings, instance: dg.DagsterInstance) -> None:
    passed = [True]
    check = StageCheck((CheckSpec("sound", ""),), lambda _context: {"sound": CheckOutcome(passed[0])})
    record_all(settings, declared(lambda _context: output(), checks=(check,)))
    quiet = replace(declared(lambda _context: None, checks=(check,)))
    assert event_count(instance, record_all(settings, quiet)) == 2
    passed[0] = False
    assert event_count(instance, record_all(settings, quiet)) == 3
    assert event_count(instance, record_all(settings, quiet)) == 2


def test_after_a_run_everything_is_in_sync_until_its_input_changes(settings: Settings, instance: dg.DagsterInstance) -> None:
    made, copied = declared(lambda _context: output()), downstream()
    record_all(settings, made, copied)
    assert unsynced(instance, settings, made, copied) == set()
    changed = declared(lambda _context: output(6))
    run = Run(ingested(settings.home, DAYS[3]), settings, strict=True)
    with recording(run, JOB, (made, copied)) as record:
        (result,) = execute_stages((changed,), run)
        assert isinstance(result, StageResult) and result.progress.versions == {"maintenance.backups": 2}
        record(result)
    assert unsynced(instance, settings, made, copied) == {"maintenance/copies"}
    # It finds nothing to do, and is in sync again all the same, as it has looked at what is there now.
    record_all(settings, declared(lambda _context: None), downstream(lambda _context: None))
    assert unsynced(instance, settings, made, copied) == set()


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "CANCELED"), (SystemExit, "CANCELED"), (OSError, "FAILURE")])
def test_a_run_that_is_stopped_ends_on_record(
    error: type[BaseException], status: str, settings: Settings, instance: dg.DagsterInstance
) -> None:
    run = Run(ingested(settings.home, DAYS[3]), settings)
    with pytest.raises(error), recording(run, JOB, ()):
        raise error
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None and ended.status.value == status


def test_the_next_run_ends_those_of_dead_processes_and_no_others(settings: Settings, instance: dg.DagsterInstance) -> None:
    alive = Run(ingested(settings.home, DAYS[3]), settings)
    with recording(alive, JOB, ()):
        dead = dg.DagsterRun(job_name=JOB, status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: "1:another-0"})
        theirs = dg.DagsterRun(job_name=JOB, status=dg.DagsterRunStatus.STARTED)
        for run in (dead, theirs):
            instance.add_run(run)
        record_all(settings, declared(lambda _context: output()))
        statuses = {run.run_id: run.status.value for run in instance.get_runs()}
    assert (statuses[dead.run_id], statuses[theirs.run_id], statuses[alive.run_id]) == ("FAILURE", "STARTED", "STARTED")


def test_two_runs_in_one_data_directory_are_refused(settings: Settings) -> None:
    with FileLock(settings.home / ".run.lock"), pytest.raises(InputError, match="another `stock-pipeline run` or training is at work"):
        record_all(settings, declared(lambda _context: output()))
    record_all(settings, declared(lambda _context: output()))


def test_the_directory_is_free_again_after_a_failure(settings: Settings) -> None:
    with pytest.raises(KeyboardInterrupt), alone(settings.home):
        raise KeyboardInterrupt
    record_all(settings, declared(lambda _context: output()))


def test_a_dagster_home_that_is_no_folder_is_refused_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="DAGSTER_HOME"), alone(tmp_path / "data"):
        pass
    assert not (tmp_path / "data").exists()
