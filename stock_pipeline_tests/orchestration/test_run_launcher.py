"""Runs whose process has died, as Dagster's run monitoring finds them."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

from stock_pipeline.core.processes import process_name
from stock_pipeline.orchestration.dagster_run import PROCESS_TAG
from stock_pipeline.orchestration.instance import prepare_dagster_home
from stock_pipeline_tests.harness.plain_settings import plain_settings


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(plain_settings(tmp_path)))) as opened:
        yield opened


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    return child.pid


def started(instance: dg.DagsterInstance, pid: int | None = None, tags: dict[str, str] | None = None) -> str:
    """A run at work, executed by a process of that number where one is given."""
    run = instance.add_run(dg.DagsterRun(job_name="a_job", status=dg.DagsterRunStatus.STARTED, tags=tags))
    if pid is not None:
        instance.report_engine_event(f"Started process for run (pid: {pid}).", run, EngineEventData.in_process(pid))
    return run.run_id


def test_run_monitoring_ends_the_runs_of_dead_processes_and_no_others(instance: dg.DagsterInstance) -> None:
    mine, gone = os.getpid(), dead_process()
    runs = {
        started(instance, mine): "STARTED",
        started(instance, gone): "FAILURE",
        started(instance): "STARTED",  # it has not noted its process yet
        started(instance, tags={PROCESS_TAG: process_name(mine)}): "STARTED",
        started(instance, tags={PROCESS_TAG: f"{mine}:another-0"}): "FAILURE",
    }
    context = MagicMock(instance=instance)  # a workspace, which only resuming a run would need
    assert list(execute_run_monitoring_iteration(context, logging.getLogger(__name__))) == [None] * len(runs)
    assert {run.run_id: run.status.value for run in instance.get_runs()} == runs
    assert instance.run_monitoring_poll_interval_seconds <= 30  # so that a dead one has ended within a minute
