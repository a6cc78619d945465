import hashlib
import runpy
from pathlib import Path

import dagster as dg
import pytest

from stock_pipeline.core.errors import InputError
from stock_pipeline.orchestration.instance import prepare_dagster_home
from stock_pipeline.orchestration.run_launcher import WatchedRunLauncher
from stock_pipeline_tests.harness.plain_settings import plain_settings


@pytest.fixture(autouse=True)
def _no_instance_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def test_the_instance_lies_under_the_data_directory_with_the_project_s_settings(tmp_path: Path) -> None:
    home = prepare_dagster_home(plain_settings(tmp_path / "data"))
    assert home == tmp_path / "data" / "dagster"
    assert (home / "history" / "runs.db").is_file()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert not instance.telemetry_enabled
        assert instance.get_settings("concurrency")["pools"] == {"default_limit": 1, "granularity": "op"}
        assert instance.run_monitoring_enabled
        assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False


def test_preparing_it_again_keeps_its_runs(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path)
    home = prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_run_tags(instance.create_run_for_job(a_job()).run_id, {"mark": "kept"})
    assert prepare_dagster_home(settings) == home
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert [run.tags["mark"] for run in instance.get_runs()] == ["kept"]


def a_job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def a_job() -> None:
        nothing()

    return a_job


def test_two_data_directories_have_two_instances(tmp_path: Path) -> None:
    homes = [prepare_dagster_home(plain_settings(tmp_path / name)) for name in ("one", "two")]
    assert homes == [tmp_path / "one" / "dagster", tmp_path / "two" / "dagster"]


def test_an_instance_that_the_environment_names_gets_the_settings_that_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "given"
    given.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(given))
    assert prepare_dagster_home(plain_settings(tmp_path / "data")) == given
    with dg.DagsterInstance.from_config(str(given)) as instance:
        assert not instance.telemetry_enabled and isinstance(instance.run_launcher, WatchedRunLauncher)
    assert not (tmp_path / "data").exists()


def test_settings_of_the_instance_that_somebody_edited_stay(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path)
    config = prepare_dagster_home(settings) / "dagster.yaml"
    edited = config.read_text().replace("max_concurrent_runs: 2", "max_concurrent_runs: 1")
    config.write_text(edited)
    prepare_dagster_home(settings)
    assert config.read_text() == edited


def test_settings_of_the_instance_follow_the_project_as_long_as_nobody_edits_them(tmp_path: Path) -> None:
    settings = plain_settings(tmp_path)
    home = prepare_dagster_home(settings)
    config, own = home / "dagster.yaml", (home / "dagster.yaml").read_text()
    config.write_text("telemetry: {enabled: false}\n")
    (home / ".dagster.yaml.sha256").write_text(hashlib.sha256(config.read_bytes()).hexdigest())  # as an earlier version had left it
    prepare_dagster_home(settings)
    assert config.read_text() == own


def test_settings_of_the_instance_that_were_there_first_stay(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    home = prepare_dagster_home(plain_settings(tmp_path))
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_an_instance_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"DAGSTER_HOME is '.*nowhere', which is not a folder"):
        prepare_dagster_home(plain_settings(tmp_path / "data"))


def test_a_wrong_setting_is_a_sentence_to_scripts_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("STOCK_PIPELINE_EXCHANGE", "MOON")
    with pytest.raises(SystemExit, match="Error: variable STOCK_PIPELINE_EXCHANGE: field exchange is 'MOON'"):
        runpy.run_module("stock_pipeline.orchestration.instance", run_name="__main__")
    assert capsys.readouterr().out == ""
