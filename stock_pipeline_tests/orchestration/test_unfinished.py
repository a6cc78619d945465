"""What a killed night has left, and what the sensor launches of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from stock_pipeline.drift.tables import FEATURE_DRIFT
from stock_pipeline.labels.tables import daily_labels
from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.market_data.tables import INSTRUMENTS
from stock_pipeline.models.tables import TRAININGS
from stock_pipeline.orchestration.stage import CheckSpec, Key, Stage, StageCheck, key_of
from stock_pipeline.orchestration.unfinished import LOOKS, Standing, behind, unfinished_assets
from stock_pipeline.storage import Author, Stores, upsert
from stock_pipeline.storage.audit import Execution, ExecutionState
from stock_pipeline_tests.factories.rows import MOMENT, ingested, put
from stock_pipeline_tests.harness.asset_harness import DAYS, output
from stock_pipeline_tests.harness.plain_settings import plain_settings

BEFORE, NOW = DAYS[2], DAYS[3]
SOUND = StageCheck((CheckSpec("sound", "", blocking=True),), lambda _context: {})
LABELS = daily_labels((1,))
INGESTION = Stage((("market_data", "daily_bars"),), "", (), (), lambda _context: None, cadence="ingestion", store="market", checks=(SOUND,))
LABEL_STAGE = Stage((key_of(LABELS),), "", (LABELS,), (), lambda _context: None, checks=(SOUND,))
MODEL = Stage((("models", "mlp"),), "", (TRAININGS,), (LABELS,), lambda _context: None, cadence="training")
DRIFT = Stage((key_of(FEATURE_DRIFT),), "", (FEATURE_DRIFT,), (), lambda _context: None)
COPIES = Stage((key_of(BACKUPS),), "", (BACKUPS,), (FEATURE_DRIFT, TRAININGS), lambda _context: output())
STAGES = (INGESTION, LABEL_STAGE, MODEL, DRIFT, COPIES)
WATERMARKS = {stage.name: NOW for stage in STAGES}
WELL = Standing(NOW, WATERMARKS, frozenset(WATERMARKS), frozenset(), frozenset())


def names(standing: Standing, *barred: Key) -> list[str]:
    return [stage.name for stage in behind(STAGES, standing, barred)]


def test_where_every_asset_has_come_to_the_session_nothing_is_behind() -> None:
    assert names(WELL) == []


def test_nightly_assets_are_behind_by_their_watermark_and_models_only_where_never_trained() -> None:
    earlier = replace(WELL, watermarks=WATERMARKS | dict.fromkeys(("drift/feature_drift", "models/mlp"), BEFORE))
    assert names(earlier) == ["drift/feature_drift"]
    never = replace(WELL, watermarks={}, executed=frozenset())
    assert names(never) == [stage.name for stage in STAGES[1:]]  # ingestion has a watchdog of its own


def test_an_asset_that_has_looked_and_stays_where_it_is_is_not_launched_again() -> None:
    off = replace(WELL, watermarks={}, up_with_market=frozenset({"drift/feature_drift"}))
    assert names(off) == ["labels/daily_labels", "maintenance/backups"]


def test_an_asset_is_up_with_the_market_once_it_has_seen_its_last_write(stores: Stores) -> None:
    def look(state: ExecutionState) -> set[str]:
        stores.record_executions("ml", Execution(DRIFT.name, str(uuid4()), MOMENT, MOMENT, state, 0, seen=stores.seen()))
        return stores.up_with_market()

    assert look("failed") == set()
    assert look("up_to_date") == {DRIFT.name}
    put(stores, INSTRUMENTS, [{"instrument": "BBB", "symbol": "BBB", "source": "tests"}], NOW, INGESTION.name)
    assert stores.up_with_market() == set()
    assert look("succeeded") == {DRIFT.name}


def test_what_was_cut_short_is_executed_again_whatever_its_cadence() -> None:
    cut = replace(WELL, cut_short=frozenset({"market_data/daily_bars", "models/mlp"}))
    assert names(cut) == ["market_data/daily_bars", "models/mlp"]


def test_nothing_is_made_of_what_a_blocking_check_has_refused() -> None:
    never = replace(WELL, watermarks={}, executed=frozenset())
    assert names(never, key_of(LABELS)) == ["labels/daily_labels", "drift/feature_drift"]


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    stores = ingested(tmp_path / "data", NOW)
    stores.record_executions("market", Execution(INGESTION.name, "a-run", MOMENT, MOMENT, "succeeded", 1))
    for stage in STAGES[1:]:
        by = Author.of_asset(stage.name, "1", "a-run", MOMENT)
        stores.prepare(stage.tables)
        stores.write("ml", by, [], BEFORE)
        stores.record_executions("ml", Execution(stage.name, "a-run", MOMENT, MOMENT, "succeeded", 0))
    return stores


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as opened:
        yield opened


class Looks:
    """One look after another, with the cursor handed on."""

    def __init__(self, stores: Stores, instance: dg.DagsterInstance) -> None:
        self.sensor = unfinished_assets(plain_settings(stores.home), STAGES)
        self.instance, self.cursor = instance, None

    def launched(self) -> set[str]:
        """The assets that the next look launches."""
        with dg.build_sensor_context(self.instance, cursor=self.cursor) as context:
            found = self.sensor.evaluate_tick(context)
        self.cursor = found.cursor  # type: ignore[assignment]
        return {key.to_user_string() for request in found.run_requests or () for key in request.asset_selection or ()}

    def skip(self, count: int) -> None:
        """So many looks that launch nothing."""
        assert [self.launched() for _ in range(count)] == [set()] * count


def test_what_several_looks_in_a_row_find_behind_is_launched(stores: Stores, instance: dg.DagsterInstance) -> None:
    looks = Looks(stores, instance)
    assert [looks.launched() for _ in range(LOOKS - 1)] == [set()] * (LOOKS - 1)
    assert json.loads(looks.cursor or "") == dict.fromkeys((stage.name for stage in (LABEL_STAGE, DRIFT, COPIES)), LOOKS - 1)
    stores.write("ml", Author.of_asset(DRIFT.name, "1", "another", MOMENT), [], NOW)
    assert looks.launched() == {"labels/daily_labels", "maintenance/backups"}


def test_nothing_is_launched_beside_a_run(stores: Stores, instance: dg.DagsterInstance) -> None:
    looks = Looks(stores, instance)
    looks.skip(LOOKS - 1)
    run = instance.add_run(dg.DagsterRun(job_name="a_job", status=dg.DagsterRunStatus.STARTED))
    assert looks.launched() == set()
    instance.report_run_canceled(run)
    looks.skip(LOOKS - 1)  # they are counted from here
    assert looks.launched() == {"labels/daily_labels", "drift/feature_drift", "maintenance/backups"}


def test_a_failed_blocking_check_on_record_holds_back_what_lies_downstream(stores: Stores, instance: dg.DagsterInstance) -> None:
    looks = Looks(stores, instance)
    key = dg.AssetKey(key_of(LABELS))
    instance.report_runless_asset_event(dg.AssetCheckEvaluation(key, "sound", passed=False, metadata={}, blocking=True))
    looks.skip(LOOKS - 1)
    assert looks.launched() == {"labels/daily_labels", "drift/feature_drift"}


def test_what_the_settings_leave_out_is_not_launched(stores: Stores, instance: dg.DagsterInstance) -> None:
    looks = Looks(stores, instance)
    looks.sensor = unfinished_assets(plain_settings(stores.home), STAGES, [DRIFT.name])
    looks.skip(LOOKS - 1)
    assert looks.launched() == {"labels/daily_labels", "maintenance/backups"}


def test_before_the_first_ingestion_there_is_nothing_to_launch(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    looks = Looks(ingested(tmp_path / "data", date(2024, 5, 3)), instance)
    looks.sensor = unfinished_assets(plain_settings(tmp_path / "empty"), STAGES)
    looks.skip(LOOKS + 1)
    assert not (tmp_path / "empty").exists()


def test_an_execution_that_wrote_and_did_not_end_was_cut_short(stores: Stores) -> None:
    by = Author.of_asset(COPIES.name, "1", "killed", MOMENT)
    stores.write("ml", by, [upsert(BACKUPS, output().writes[0].frame)], NOW)
    assert stores.cut_short() == {COPIES.name}
    stores.record_executions("ml", Execution(COPIES.name, "killed", MOMENT, MOMENT, "succeeded", 1))
    assert stores.cut_short() == set()
