"""Whole runs killed at one place after another: each next run goes on, and in the end every table is that of a run that nobody killed."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest

from stock_pipeline.core.content_hash import content_hash
from stock_pipeline.orchestration.dagster_run import DIED
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline_tests.harness.dagster_services import (
    PROJECT,
    SESSIONS,
    Workplace,
    behind,
    processes_that_name,
    sample_sessions,
    until,
    web_ui_and_daemon,
    workplace_that_has_run,
)
from stock_pipeline_tests.harness.default_stages import STAGES
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.killed_run import KILLED, PLACES
from stock_pipeline_tests.harness.plain_settings import plain_environment
from stock_pipeline_tests.test_live import launch_ingestion

# Of the assets that the workplace makes: its models are two, and the mirror is off.
ASSETS = [stage.name for stage in STAGES if not stage.name.startswith("models/") or stage.name.endswith(("spline_ridge", "lightgbm"))]
EVERY_PLACE = [(asset, place) for number, asset in enumerate(ASSETS) for place in (PLACES if number % 2 else ("written",))]
A_FEW = [
    ("market_data/daily_bars", "write"),
    ("models/spline_ridge", "written"),
    ("registry/model_versions", "write"),
    ("maintenance/backups", "written"),
]
# They tell of runs and moments, or of the files of both stores, which hold what tells of runs.
TELLS_OF_RUNS = {"registry.training_jobs", "market_data.ingestion_reports", "maintenance.backups"}
SECONDS = 300


def kill_run(workplace: Workplace, asset: str, place: str) -> None:
    """Start a run that kills itself there."""
    command = [sys.executable, "-m", "stock_pipeline_tests.harness.killed_run", asset, place]
    ended = subprocess.run(
        command, cwd=PROJECT, env=plain_environment() | workplace.variables, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == KILLED, f"{asset} {place}: {ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"


def contents(stores: Stores) -> dict[str, str]:
    """A hash of each table's content that does not depend on the order of its rows."""
    tables = {table.qualified_name: table for stage in STAGES for table in (*stage.tables, *stage.amends)}
    return {name: content_hash(stores.read(table), table.row_key) for name, table in tables.items() if name not in TELLS_OF_RUNS}


def survive(places: Sequence[tuple[str, str]], folder: Path, base: Path) -> Workplace:
    """A workplace through a run killed at each of the places in turn, and through one that nobody kills."""
    expected = contents(open_stores(workplace_that_has_run(base).home))
    workplace = Workplace(folder / "killed")
    workplace.make()
    for asset, place in places:
        kill_run(workplace, asset, place)
    ended = invoke(workplace.home, "run", **workplace.variables)
    assert ended.exit_code == 0, ended.output
    assert contents(open_stores(workplace.home)) == expected
    with dg.DagsterInstance.from_config(str(workplace.instance_home())) as instance:
        runs = instance.get_runs()
        assert [run.status.value for run in runs] == ["SUCCESS", *["FAILURE"] * len(places)]
        why = [entry.dagster_event.message for run in runs[1:] for entry in instance.all_logs(run.run_id) if entry.dagster_event]
        assert sum(message == DIED for message in why) == len(places)
    until(lambda: not processes_that_name(workplace.root), SECONDS, "the children of killed runs to end")
    return workplace


def test_after_a_few_kills_the_next_run_makes_what_an_undisturbed_one_makes(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    survive(A_FEW, tmp_path, tmp_path_factory.getbasetemp())


@pytest.mark.chaos
@pytest.mark.live
def test_after_kills_at_every_asset_the_next_run_and_the_daemon_after_it_go_on_as_ever(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert len(EVERY_PLACE) >= 30
    workplace = survive(EVERY_PLACE, tmp_path, tmp_path_factory.getbasetemp())
    stores, next_session = open_stores(workplace.home), sample_sessions()[SESSIONS]
    with web_ui_and_daemon(workplace) as dagster:
        workplace.bring_bars([next_session])
        launch_ingestion(dagster)
        until(lambda: not behind(stores, next_session), SECONDS, "the daemon to run the next night")
