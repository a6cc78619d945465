"""Automation: a night that nobody attends, by Dagster's own daemon, and what it asks for in which state of the assets."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from stock_pipeline.core.columns import SESSION
from stock_pipeline.definitions import build_definitions
from stock_pipeline.market_data.checks import BLOCKING
from stock_pipeline.market_data.tables import DAILY_BARS
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.automation import INGESTION_JOB
from stock_pipeline.orchestration.stage import Cadence, Key, dependencies
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS, SIGNALS
from stock_pipeline.storage import open_stores
from stock_pipeline_tests.harness.dagster_services import (
    REPOSITORY,
    SESSIONS,
    SYMBOLS,
    Dagster,
    processes_that_name,
    sample_sessions,
    until,
    web_ui_and_daemon,
    workplace_that_has_run,
)
from stock_pipeline_tests.harness.default_stages import STAGES
from stock_pipeline_tests.harness.plain_settings import plain_settings

TICK_SECONDS, NIGHT_SECONDS = 120, 300  # bounds for a machine that is busy with other things; an idle one needs a minute
MOST_RUNS = 3
SENSORS = ("nightly_automation", "training_automation")
REGISTRY = {"registry/model_versions", "registry/mlflow_mirror"}
TRAINING_DUE = datetime(2031, 3, 8, 12, tzinfo=UTC)  # a Saturday

TICKS = """query($name: String!, $repository: String!, $location: String!) {
  sensorOrError(sensorSelector: {sensorName: $name, repositoryName: $repository, repositoryLocationName: $location}) {
    ... on Sensor { sensorState { ticks { status runIds } } } } }"""
LAUNCH = """mutation($parameters: ExecutionParams!) { launchRun(executionParams: $parameters) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUNS = """{ runsOrError { ... on Runs { results { runId jobName status tags { key value } assetSelection { path } } } } }"""
WATERMARKS = """{ assetNodes { assetKey { path } assetMaterializations(limit: 1) {
  metadataEntries { label ... on TextMetadataEntry { text } } } } }"""


def keys_of(cadence: Cadence) -> set[str]:
    """The asset keys of that cadence, as the web UI writes them."""
    return {"/".join(key) for stage in STAGES if stage.cadence == cadence for key in stage.keys}


NIGHTLY = keys_of("nightly")
DATED = NIGHTLY - {"registry/mlflow_mirror"}  # the mirror is off in the workplace


def ticks(dagster: Dagster, sensor: str) -> list[dict[str, Any]]:
    """The ticks of a sensor that have ended well, latest first."""
    names = {"name": sensor, "repository": REPOSITORY["repositoryName"], "location": REPOSITORY["repositoryLocationName"]}
    found: list[dict[str, Any]] = dagster.ask(TICKS, names)["sensorOrError"]["sensorState"]["ticks"]
    assert not [tick for tick in found if tick["status"] == "FAILURE"]
    return [tick for tick in found if tick["status"] != "STARTED"]


def wait_for_ticks(dagster: Dagster, sensor: str, count: int) -> None:
    """Wait until the sensor has had so many ticks."""
    until(lambda: len(ticks(dagster, sensor)) >= count, TICK_SECONDS, f"tick {count} of {sensor}")


def runs(dagster: Dagster) -> list[dict[str, Any]]:
    """Every run, latest first, with its tags as a mapping.

    Raises:
        AssertionError: a run has failed.
    """
    found: list[dict[str, Any]] = dagster.ask(RUNS)["runsOrError"]["results"]
    failed = [run for run in found if run["status"] in ("FAILURE", "CANCELED")]
    assert not failed, f"{failed}\n{dagster.tail()}"
    return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]


def watermarks(dagster: Dagster) -> dict[str, str]:
    """The watermark that each asset's latest materialisation shows."""
    return {
        "/".join(node["assetKey"]["path"]): entry["text"]
        for node in dagster.ask(WATERMARKS)["assetNodes"]
        for materialisation in node["assetMaterializations"]
        for entry in materialisation["metadataEntries"]
        if entry["label"] == "watermark"
    }


def launch_ingestion(dagster: Dagster) -> str:
    """Launch the job that the schedule launches, and return the id of its run."""
    parameters = {"selector": REPOSITORY | {"jobName": INGESTION_JOB}, "runConfigData": "{}"}
    launched = dagster.ask(LAUNCH, {"parameters": parameters})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id: str = launched["run"]["runId"]
    return run_id


@dataclass(frozen=True)
class UnattendedNight:
    """What the daemon did when one more session of bars had come."""

    session: date
    home: Path
    runs: list[dict[str, Any]]
    ingestion: str
    watermarks: dict[str, str]
    trainings_before: pl.DataFrame
    process_group_alive: bool


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> UnattendedNight:
    workplace = workplace_that_has_run(tmp_path_factory.getbasetemp()).copy_to(tmp_path_factory.mktemp("live") / "workplace")
    session = sample_sessions()[SESSIONS]
    trainings = open_stores(workplace.home).read(TRAININGS)
    with web_ui_and_daemon(workplace) as dagster:
        before = {run["runId"] for run in runs(dagster)}
        for sensor in SENSORS:
            wait_for_ticks(dagster, sensor, 1)
        workplace.bring_bars([session])
        ingestion = launch_ingestion(dagster)
        until(lambda: _reached(dagster, session), NIGHT_SECONDS, f"every nightly asset to reach {session}, and every run to end")
        for sensor in SENSORS:
            # The tick at work when the last run ended may not have seen its end; the one after it has.
            wait_for_ticks(dagster, sensor, len(ticks(dagster, sensor)) + 2)
        made = [run for run in runs(dagster) if run["runId"] not in before]
        reached = watermarks(dagster)
    return UnattendedNight(session, workplace.home, made, ingestion, reached, trainings, dagster.is_alive())


def _reached(dagster: Dagster, session: date) -> bool:
    if any(run["status"] != "SUCCESS" for run in runs(dagster)):
        return False
    reached = watermarks(dagster)
    return all(reached.get(key) == str(session) for key in DATED)


@pytest.mark.live
def test_everything_downstream_of_new_bars_is_made_without_a_hand(night: UnattendedNight) -> None:
    assert {key: night.watermarks[key] for key in DATED} == dict.fromkeys(DATED, str(night.session))
    stores = open_stores(night.home)
    for table in (DAILY_BARS, DAILY_PREDICTIONS, SIGNALS, SUGGESTED_STOCKS):
        assert night.session in stores.read(table)[SESSION].to_list(), table.name
    assert stores.read(SIGNALS).filter(pl.col(SESSION) == night.session).height == SYMBOLS


@pytest.mark.live
def test_one_night_takes_few_runs_and_then_it_is_quiet(night: UnattendedNight) -> None:
    automatic = [run for run in night.runs if run["runId"] != night.ingestion]
    assert 1 <= len(automatic) <= MOST_RUNS
    assert {run["tags"]["dagster/sensor_name"] for run in automatic} == {"nightly_automation"}
    made = ["/".join(key["path"]) for run in automatic for key in run["assetSelection"]]
    assert sorted(made) == sorted(NIGHTLY)


@pytest.mark.live
def test_every_run_carries_its_timeout(night: UnattendedNight) -> None:
    timeout = str(plain_settings(night.home).automation.nightly.timeout_seconds)
    assert [run["tags"].get("dagster/max_runtime") for run in night.runs] == [timeout] * len(night.runs)


@pytest.mark.live
def test_models_are_not_trained_again_before_they_are_due(night: UnattendedNight) -> None:
    assert open_stores(night.home).read(TRAININGS).equals(night.trainings_before)


@pytest.mark.live
def test_no_process_is_left_behind(night: UnattendedNight) -> None:
    assert not night.process_group_alive
    assert processes_that_name(night.home) == []


class Automation:
    """The automation conditions over an instance in memory: report what has happened, then ask what is due."""

    def __init__(self, instance: dg.DagsterInstance, home: Path) -> None:
        self.instance, self.definitions = instance, build_definitions(plain_settings(home))
        self.cursor: Any = None
        self.due()  # conditions notice what changes from their first evaluation on

    def made(self, *keys: Key | str, failed: str | None = None) -> None:
        """Assets have been materialised, and their blocking checks have passed but for ``failed``."""
        graph = self.definitions.resolve_asset_graph()
        for key in keys:
            asset = dg.AssetKey(key.split("/") if isinstance(key, str) else key)
            self.instance.report_runless_asset_event(dg.AssetMaterialization(asset))
            for check in sorted(graph.get(asset).check_keys):
                if graph.get(check).blocking:
                    passed = check.name != failed
                    told = dg.AssetCheckEvaluation(asset_key=asset, check_name=check.name, passed=passed, metadata={}, blocking=True)
                    self.instance.report_runless_asset_event(told)

    def ingested(self, *, failed: str | None = None) -> None:
        """Bars have come, and their blocking checks have passed but for ``failed``."""
        self.made(*keys_of("ingestion"), failed=failed)

    def due(self, moment: datetime = TRAINING_DUE - timedelta(days=1)) -> set[str]:
        """The assets that automation would launch at ``moment``."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Parameter `include_sources`")  # Dagster's own call of Dagster
            result = dg.evaluate_automation_conditions(self.definitions, self.instance, cursor=self.cursor, evaluation_time=moment)
        self.cursor = result.cursor
        requested = [found.key for found in result.results if result.get_num_requested(found.key)]
        return {key.to_user_string() for key in requested if isinstance(key, dg.AssetKey)}


@pytest.fixture
def automation(tmp_path: Path) -> Iterator[Automation]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Automation(instance, tmp_path)


TRAINING = keys_of("training")
INPUTS_OF_MODELS = {"/".join(key) for stage in STAGES if stage.cadence == "training" for key in dependencies(stage, STAGES)} - TRAINING


@pytest.fixture
def settled(automation: Automation) -> Automation:
    """Every asset made, and nothing due."""
    automation.ingested()
    automation.due()
    automation.made(*keys_of("nightly"), *TRAINING)
    automation.due()
    automation.made(*keys_of("nightly"))
    assert automation.due() == set()
    return automation


def test_missing_models_are_trained_once_their_inputs_are_there(automation: Automation) -> None:
    automation.ingested(failed=next(iter(BLOCKING)))  # so that nothing is made of the bars
    assert not automation.due() & TRAINING
    automation.made(*INPUTS_OF_MODELS)
    assert automation.due() & TRAINING == TRAINING
    automation.made(*TRAINING)
    assert not automation.due() & TRAINING


def test_new_bars_bring_on_everything_but_models(settled: Automation) -> None:
    settled.ingested()
    assert settled.due() == NIGHTLY


@pytest.mark.parametrize("check", BLOCKING)
def test_nothing_is_made_of_bars_that_fail_a_blocking_check(settled: Automation, check: str) -> None:
    settled.ingested(failed=check)
    assert settled.due() == set()
    settled.ingested()
    assert settled.due() == NIGHTLY


def test_nothing_is_trained_on_features_that_look_ahead(automation: Automation) -> None:
    automation.ingested(failed=next(iter(BLOCKING)))
    automation.made(*INPUTS_OF_MODELS, failed="no_lookahead")
    automation.due()  # asks for the check again, as no run is known to have made it together with the features
    assert not automation.due() & TRAINING
    automation.made(*INPUTS_OF_MODELS)
    assert automation.due() & TRAINING == TRAINING


def test_models_are_trained_again_when_they_are_due(settled: Automation) -> None:
    due = settled.due(TRAINING_DUE)
    assert due >= TRAINING | REGISTRY
    assert not due & INPUTS_OF_MODELS
    assert not settled.due(TRAINING_DUE + timedelta(minutes=1)) & TRAINING
