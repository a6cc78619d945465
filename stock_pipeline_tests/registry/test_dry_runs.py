"""Dry runs as Dagster sees them: not at all. No materialisation, no check, nothing that automation would follow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from stock_pipeline.orchestration.asset_factory import build_asset
from stock_pipeline.orchestration.context import StageOutput
from stock_pipeline.orchestration.instance import prepare_dagster_home
from stock_pipeline.orchestration.resources import resources
from stock_pipeline.orchestration.training_request import OP
from stock_pipeline.registry.jobs import training_job
from stock_pipeline.settings import Settings
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.training_desk import MIRRORED, REGISTERED, STACKED, Desk, StandIns

EVENTS = (
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
)
SESSION = date(2024, 5, 3)
NO_MEMORY, LEAK = StandIns(failing={"models/mlp": "no memory"}), StandIns(leaking="models/mlp")


@dataclass
class Watched:
    """What a Dagster instance has on record of the stand-ins' assets, and what automation makes of it."""

    instance: dg.DagsterInstance
    settings: Settings
    cursor: Any = None
    now: datetime = field(default_factory=lambda: datetime(2024, 5, 6, 12, tzinfo=UTC))

    def events(self) -> dict[str, int]:
        """How many events of each kind that concerns assets there are."""
        return {kind.value: len(self.instance.event_log_storage.get_event_records(dg.EventRecordsFilter(kind))) for kind in EVENTS}

    def requested(self) -> set[str]:
        """The assets that the next look of automation requests."""
        stages = StandIns().stages()
        self.now += timedelta(minutes=1)
        result = dg.evaluate_automation_conditions(
            dg.Definitions([build_asset(stage, stages, self.settings) for stage in stages], resources=dict(resources(self.settings))),
            instance=self.instance,
            cursor=self.cursor,
            evaluation_time=self.now,
        )
        self.cursor = result.cursor
        return {stage.name for stage in stages if result.get_num_requested(dg.AssetKey(stage.keys[0]))}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Desk(ingested(tmp_path / "data", SESSION).home, monkeypatch)


@pytest.fixture
def watched(desk: Desk) -> Iterator[Watched]:
    """The instance after a whole training by the command, once automation has nothing more to do."""
    assert desk.train()[0] == 0
    settings = plain_settings(desk.home)
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(settings))) as instance:
        found = Watched(instance, settings)
        found.requested()
        assert found.requested() == set() and found.events()["ASSET_MATERIALIZATION"] == len(StandIns().stages())
        yield found


def by_command(desk: Desk, _instance: dg.DagsterInstance, stages: StandIns, dry_run: bool) -> None:
    desk.train("--models", "mlp", *(["--dry-run"] if dry_run else []), stages=stages)


def by_the_job(desk: Desk, instance: dg.DagsterInstance, stages: StandIns, dry_run: bool) -> None:
    job = training_job(plain_settings(desk.home), stages.stages())
    config = {"models": ["mlp"], "dry_run": dry_run}
    job.execute_in_process(run_config={"ops": {OP: {"config": config}}}, instance=instance, raise_on_error=False)


Way = Callable[[Desk, dg.DagsterInstance, StandIns, bool], None]


@pytest.mark.parametrize("way", [by_command, by_the_job], ids=["command", "job"])
@pytest.mark.parametrize("stages", [StandIns(), NO_MEMORY, LEAK], ids=["sound", "failing", "leaking"])
def test_a_dry_run_leaves_no_event_of_an_asset_and_sets_no_automation_off(way: Way, stages: StandIns, watched: Watched, desk: Desk) -> None:
    before, stages = watched.events(), replace(stages, executed=[])
    way(desk, watched.instance, stages, True)
    assert [(name, options.dry_run) for name, options in stages.executed] == [("models/mlp", True)]
    assert watched.events() == before
    assert (watched.requested(), watched.requested()) == (set(), set())
    assert desk.job(2)["dry_run"]


@pytest.mark.parametrize("way", [by_command, by_the_job], ids=["command", "job"])
def test_a_training_that_is_kept_is_told(way: Way, watched: Watched, desk: Desk) -> None:
    before = watched.events()
    way(desk, watched.instance, StandIns(), False)
    for kind, count in {"ASSET_MATERIALIZATION": 4, "ASSET_MATERIALIZATION_PLANNED": 0}.items():  # model, stack, registry, mirror
        assert watched.events()[kind] == before[kind] + count


def test_automation_follows_a_materialisation(watched: Watched) -> None:
    key = dg.AssetKey(["models", "mlp"])
    watched.instance.report_runless_asset_event(dg.AssetMaterialization(key))
    assert watched.requested() == set()  # its blocking check has not judged it yet
    watched.instance.report_runless_asset_event(dg.AssetCheckEvaluation(key, "plausible_ic", passed=True, metadata={}, blocking=True))
    assert watched.requested() == {REGISTERED, STACKED, MIRRORED}


def test_the_run_of_a_dry_job_shows_what_was_found(desk: Desk) -> None:
    facts = {"rank_ic": 0.0125}
    stages = [replace(stage, body=lambda _context: StageOutput((), SESSION, facts=facts)) for stage in StandIns().stages()]
    job = training_job(plain_settings(desk.home), stages)
    ended = job.execute_in_process(run_config={"ops": {OP: {"config": {"models": ["mlp"], "dry_run": True}}}})
    (step,) = [event for event in ended.all_node_events if event.is_successful_output]
    shown = step.step_output_data.metadata
    assert shown["mlp, rank_ic"].value == 0.0125 and shown["state"].value == "COMPLETED"
