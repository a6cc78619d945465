from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.in_process import run_in_process, without_retries
from stock_pipeline.orchestration.instance import prepare_dagster_home
from stock_pipeline.orchestration.progress import Began, Event, Stopped, announce
from stock_pipeline.orchestration.resources import RunScope
from stock_pipeline.orchestration.stage import Key
from stock_pipeline.settings import Settings
from stock_pipeline_tests.harness.plain_settings import plain_settings

FIRST, SECOND, THIRD = [("stage", name) for name in ("first", "second", "third")]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return plain_settings(tmp_path / "data")


def definitions(failing: Key | None = None) -> dg.Definitions:
    """Three assets in a row that announce themselves and the session asked for."""

    def body_of(key: Key, *deps: dg.AssetKey) -> dg.AssetsDefinition:
        @dg.asset(key=dg.AssetKey(key), deps=deps)
        def body(scope: RunScope) -> None:
            announce(Began(f"{key[1]} as of {scope.as_of}"))
            if key == failing:
                raise ValueError("no more room")

        return body

    assets = [body_of(FIRST), body_of(SECOND, dg.AssetKey(FIRST)), body_of(THIRD, dg.AssetKey(SECOND))]
    return dg.Definitions(assets=assets, jobs=[dg.define_asset_job("all")], resources={"scope": RunScope()})


def run(settings: Settings, keys: list[Key], failing: Key | None = None) -> tuple[bool, list[Event]]:
    heard: list[Event] = []
    succeeded = run_in_process(definitions(failing), "all", {"as_of": "2024-05-03"}, settings, heard.append, keys)
    return succeeded, heard


def test_the_assets_asked_for_run_in_order_and_with_the_scope(settings: Settings) -> None:
    succeeded, heard = run(settings, [THIRD, FIRST])
    assert succeeded
    assert heard == [Began("first as of 2024-05-03"), Began("third as of 2024-05-03")]


def test_what_depends_on_a_failure_does_not_run(settings: Settings) -> None:
    succeeded, heard = run(settings, [FIRST, SECOND, THIRD], failing=SECOND)
    assert not succeeded
    assert heard == [Began("first as of 2024-05-03"), Began("second as of 2024-05-03")]


def test_a_failed_blocking_check_is_told_with_what_it_measured(settings: Settings) -> None:
    @dg.asset_check(asset=dg.AssetKey(FIRST), blocking=True)
    def enough() -> dg.AssetCheckResult:
        examples, rows = dg.MetadataValue.md("| A |"), dg.MetadataValue.json([1])
        return dg.AssetCheckResult(passed=False, metadata={"share": 0.5, "session": "2024-05-03", "examples": examples, "rows": rows})

    @dg.asset_check(asset=dg.AssetKey(FIRST))
    def doubtful() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)

    heard: list[Event] = []
    checked = dg.Definitions.merge(definitions(), dg.Definitions(asset_checks=[enough, doubtful]))
    assert not run_in_process(checked, "all", {}, settings, heard.append, [FIRST, SECOND])
    assert heard[1:] == [Stopped("/".join(FIRST), "enough", "share 0.5, session 2024-05-03")]


def test_the_run_is_there_for_the_web_ui_to_show(settings: Settings) -> None:
    run(settings, [FIRST])
    run(settings, [FIRST], failing=FIRST)
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(settings))) as instance:
        assert [found.status for found in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS]
        assert instance.get_latest_materialization_event(dg.AssetKey(FIRST)) is not None


def test_two_runs_in_one_data_directory_are_refused(settings: Settings) -> None:
    settings.home.mkdir()
    with FileLock(settings.home / ".run.lock"), pytest.raises(InputError, match="another `stock-pipeline run` is at work"):
        run(settings, [FIRST])
    assert run(settings, [FIRST])[0]


def test_the_directory_is_free_again_after_a_failure(settings: Settings) -> None:
    assert not run(settings, [FIRST], failing=FIRST)[0]
    assert run(settings, [FIRST])[0]


def test_a_watched_run_tries_nothing_twice_and_keeps_every_other_setting(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path, automation={"nightly": {"retries": 5, "timeout_seconds": 77}, "interval_seconds": 9})
    watched = without_retries(settings)
    assert (watched.automation.nightly.retries, watched.automation.training.retries) == (0, 0)
    assert (watched.automation.nightly.timeout_seconds, watched.automation.interval_seconds) == (77, 9)
    assert settings.automation.nightly.retries == 5
