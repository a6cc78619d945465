"""All processes of an unattended night killed in its middle: started again, the night is finished without a hand."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from stock_pipeline.orchestration.unfinished import UNFINISHED
from stock_pipeline.storage import open_stores
from stock_pipeline_tests.harness.dagster_services import (
    SESSIONS,
    Dagster,
    Workplace,
    behind,
    processes_that_name,
    sample_sessions,
    until,
    web_ui_and_daemon,
    workplace_that_has_run,
)
from stock_pipeline_tests.test_live import launch_ingestion

pytestmark = [pytest.mark.live, pytest.mark.chaos]

SECONDS = 300
RUNS = "{ runsOrError { ... on Runs { results { runId status endTime tags { key value } } } } }"


def runs(dagster: Dagster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dagster.ask(RUNS)["runsOrError"]["results"]
    return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]


@dataclass(frozen=True)
class KilledNight:
    """What became of a night whose processes were killed, once they were started again."""

    left: set[str]  # the assets behind when they were killed
    cut: set[str]  # the runs at work then
    runs: list[dict[str, Any]]  # afterwards
    behind: set[str]  # afterwards


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KilledNight]:
    root = tmp_path_factory.mktemp("killed_night") / "workplace"
    workplace = workplace_that_has_run(tmp_path_factory.getbasetemp()).copy_to(root)
    look_at_runs_often(workplace)
    session, stores = sample_sessions()[SESSIONS], open_stores(workplace.home)
    with web_ui_and_daemon(workplace) as dagster:
        workplace.bring_bars([session])
        launch_ingestion(dagster)
        until(lambda: "features/daily_features" not in behind(stores, session), SECONDS, "the features of the night")
        cut = {run["runId"] for run in runs(dagster) if run["status"] in ("STARTED", "STARTING")}
        os.killpg(dagster.process.pid, signal.SIGKILL)
        until(lambda: not processes_that_name(workplace.root), SECONDS, "every process to be gone")
        left = behind(stores, session)
    with web_ui_and_daemon(workplace) as dagster:
        until(lambda: not behind(stores, session), SECONDS, "the night to be finished")
        until(lambda: all(run["endTime"] for run in runs(dagster)), SECONDS, "every run to end")
        yield KilledNight(left, cut, runs(dagster), behind(stores, session))


def look_at_runs_often(workplace: Workplace) -> None:
    """Have run monitoring look every other second, by the settings of the instance, which a person may edit."""
    config = workplace.instance_home() / "dagster.yaml"
    quick = config.read_text().replace("poll_interval_seconds: 30", "poll_interval_seconds: 2")
    config.write_text(quick.replace("free_slots_after_run_end_seconds: 60", "free_slots_after_run_end_seconds: 2"))


def test_the_night_is_finished(night: KilledNight) -> None:
    assert "maintenance/backups" in night.left and night.cut
    assert night.behind == set()


def test_the_runs_of_the_dead_processes_have_ended_and_what_was_left_was_launched(night: KilledNight) -> None:
    assert {run["status"] for run in night.runs if run["runId"] in night.cut} == {"FAILURE"}
    launched = [run for run in night.runs if run["tags"].get("dagster/sensor_name") == UNFINISHED]
    assert launched and {run["status"] for run in launched} == {"SUCCESS"}
