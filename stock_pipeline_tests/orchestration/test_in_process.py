"""Executions in this process as the Dagster instance and other processes see them."""

from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.asset_factory import code_version
from stock_pipeline.orchestration.context import CheckOutcome, StageContext
from stock_pipeline.orchestration.execution import Run, StageResult, execute_stages
from stock_pipeline.orchestration.in_process import alone, recording
from stock_pipeline.orchestration.instance import prepare_dagster_home
from stock_pipeline.orchestration.stage import CheckSpec, Stage, StageCheck
from stock_pipeline.settings import Settings
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.asset_harness import DAYS, KEY, declared, output
from stock_pipeline_tests.harness.plain_settings import plain_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    ingested(tmp_path / "data", DAYS[3])
    return plain_settings(tmp_path / "data")


def record_all(settings: Settings, *stages: Stage) -> None:
    run = Run(ingested(settings.home, DAYS[3]), settings, strict=True)
    with alone(settings.home), recording(settings) as record:
        for result in execute_stages(stages, run):
            assert isinstance(result, StageResult)
            record(result)


def judge(_context: StageContext) -> dict[str, CheckOutcome]:
    return {"sound": CheckOutcome(False, {"largest": 5}), "small": CheckOutcome(True)}


def test_materialisations_and_checks_are_there_for_the_web_ui_to_show(settings: Settings) -> None:
    check = StageCheck((CheckSpec("sound", "", blocking=True), CheckSpec("small", "", warns=True)), judge)
    stage = declared(lambda _context: output(), checks=(check,), settings=("backtest",))
    record_all(settings, stage)
    record_all(settings, declared(lambda _context: None, settings=("backtest",)))
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(settings))) as instance:
        event = instance.get_latest_materialization_event(KEY)
        assert event is not None and event.asset_materialization is not None
        shown = {name: value.value for name, value in event.asset_materialization.metadata.items()}
        assert (shown["result"], shown["size"], shown["dagster/row_count"]) == ("up to date", 5, 1)
        assert (event.asset_materialization.tags or {})["dagster/code_version"] == code_version(stage, settings)
        records = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [dg.AssetCheckKey(KEY, name) for name in ("up_to_date", "sound", "small")]
        )
        found = {key.name: record.event.dagster_event.asset_check_evaluation_data for key, record in records.items()}  # type: ignore[union-attr]
        assert {name: (data.passed, data.blocking, data.severity.value) for name, data in found.items()} == {
            "up_to_date": (True, False, "WARN"),
            "sound": (False, True, "ERROR"),
            "small": (True, False, "WARN"),
        }


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
