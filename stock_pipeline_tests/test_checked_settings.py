"""What the settings name is there, or commands and Dagster refuse them before they begin."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from stock_pipeline import definitions
from stock_pipeline.checked_settings import checked_settings
from stock_pipeline.command_line.main import main
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.settings import PREFIX
from stock_pipeline_tests.harness.given_settings import refusal

COMMANDS = [
    ["run"],
    ["run", "--source", "sample"],
    ["train"],
    ["status"],
    ["suggest"],
    ["models", "list"],
    ["training-jobs", "list"],
    ["mlflow"],
]
WRONG = [
    ("EXCHANGE", "MOON", ["field exchange is 'MOON'", "XNYS"]),
    ("EXCHANGE", "xnys", ["field exchange is 'xnys'", "XNYS"]),
    ("SOURCE__NAME", "nasdaq", ["field source.name", "'nasdaq'", "sample-long, files, ibkr, yahoo"]),
    ("SOURCE__FALLBACKS", "yahoo,nasdaq", ["field source.fallbacks", "'nasdaq'", "yahoo"]),
    ("MODELS__NAMES", "lightgbm,oracle", ["field models.names", "'oracle'", ", ".join(entry.name for entry in CATALOGUE)]),
    ("MODELS__NAMES", STACK, ["field models.names", f"'{STACK}'", "spline_ridge"]),
    ("FEATURES__SET", "all", ["field features.set is 'all'", "'core'", "'combined'"]),
    ("AUTOMATION__TRAINING_CRON", "0 0 31 2 *", ["field automation.training_cron is '0 0 31 2 *'", "never matches"]),
]


@pytest.fixture(autouse=True)
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """An empty working directory and no variables but those that the test gives."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(PREFIX) or name == "DAGSTER_HOME"]:
        monkeypatch.delenv(name)

    def give(**given: str) -> None:
        for name, value in given.items():
            monkeypatch.setenv(PREFIX + name, value)

    return give


@pytest.mark.parametrize(("variable", "value", "told"), WRONG)
def test_what_is_not_there_is_refused_by_definitions_and_by_every_command_alike(
    variables: Callable[..., None], tmp_path: Path, variable: str, value: str, told: list[str]
) -> None:
    variables(**{variable: value})
    message = refusal(definitions.defs)
    assert message.startswith(f"variable {PREFIX}{variable}: field ")
    assert [part for part in told if part not in message] == []
    for arguments in COMMANDS:
        ended = CliRunner().invoke(main, arguments)
        assert (ended.exit_code, ended.output) == (2, f"Error: {message}\n"), arguments
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_named_where_it_gave_the_name() -> None:
    Path("stock_pipeline.yaml").write_text("source: {name: nasdaq}", encoding="utf-8")
    assert refusal(checked_settings).startswith("file stock_pipeline.yaml: field source.name: source 'nasdaq' is not known; choose one of")


@pytest.mark.parametrize("exchange", ["XNYS", "NYSE", "XTKS", "XBOM"])
def test_an_exchange_that_has_a_calendar_is_taken(variables: Callable[..., None], exchange: str) -> None:
    variables(EXCHANGE=exchange)
    assert checked_settings().exchange == exchange


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"SOURCE__NAME": "files"}, ["field source.name is 'files'", "source.path"]),
        ({"SOURCE__NAME": "yahoo", "SOURCE__FALLBACKS": "files"}, ["field source.name is 'yahoo'", "source.path"]),
        ({"SOURCE__FALLBACKS": "yahoo"}, ["field source.name is 'sample'", "cannot be combined with other sources"]),
    ],
)
def test_sources_with_which_every_night_would_fail_are_refused_by_definitions_alone(
    variables: Callable[..., None], given: dict[str, str], told: list[str]
) -> None:
    variables(**given)
    message = refusal(definitions.defs)
    assert [part for part in (*told, "every night would fail", "schedule.enabled") if part not in message] == []
    checked_settings()  # as a run can be told the path, and other sources
    variables(SCHEDULE__ENABLED="false")
    definitions.defs()


def test_files_with_a_path_are_what_a_night_can_ask(variables: Callable[..., None]) -> None:
    variables(SOURCE__NAME="files", SOURCE__PATH="bars/*.csv")
    definitions.defs()
