"""The command line given what it cannot use: one sentence that names file, field and value, exit code 2, and nothing written."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result
from filelock import FileLock

from stock_pipeline.command_line.errors import FAILED, INTERRUPTED, WRONG_INPUT
from stock_pipeline.core.columns import SESSION
from stock_pipeline.core.errors import StoreBusyError
from stock_pipeline.models.catalogue import CATALOGUE, STACK
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline_tests.factories.panels import adjusted_panel
from stock_pipeline_tests.harness.default_stages import KEYS
from stock_pipeline_tests.harness.invocation import command, invoke

HEADER = "symbol,date,open,high,low,close,volume\n"
BAR = "AAA,2010-05-03,10,11,9,10.5,1000\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that does not exist yet, below the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def bars(tmp_path: Path) -> str:
    """A file of sound bars of 4 symbols over 60 sessions, enough history for the walk-forward splits."""
    path = tmp_path / "bars.csv"
    adjusted_panel(symbols=4, count=60).drop("jump").rename({SESSION: "date"}).write_csv(path)
    return str(path)


def assert_refused(result: Result, home: Path, *named: str) -> None:
    assert result.exit_code == WRONG_INPUT, result.output
    assert result.stdout == ""
    sentence = result.stderr.removesuffix("\n")
    assert sentence.startswith("Error: ")
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    for part in named:
        assert part in sentence
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--source", "nasdaq"], ["'nasdaq'", "sample-long"]),
        (["--source", "files"], ["files", "--path"]),
        (["--source", "files", "--path", "nowhere/*.csv"], ["'nowhere/*.csv'", "matches no file"]),
        (["--path", "bars.csv"], ["--path 'bars.csv'", "source sample", "--source files"]),
        (["--models", "lightgbm,oracle"], ["'oracle'", "spline_ridge"]),
        (["--models", " , "], ["--models is empty"]),
        (["--as-of", "yesterday"], ["--as-of 'yesterday'", "2010-08-20"]),
        (["--as-of", "2010-02-30"], ["--as-of '2010-02-30'"]),
        (["--as-of", "2010-05-01"], ["2010-05-01 is not a session of XNYS", "2010-04-30"]),
        (["--as-of", "2015-05-01"], ["2015-05-01", "source sample", "2010-08-20"]),
    ],
    ids=lambda value: "-".join(value) if value and value[0].startswith("--") else "",
)
def test_a_wrong_option_is_refused(arguments: list[str], named: list[str], home: Path) -> None:
    assert_refused(invoke(home, "run", *arguments), home, *named)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("no_volume.csv", "symbol,date,open,high,low,close\nAAA,2010-05-03,1,1,1,1\n", ["column volume is missing"]),
        ("two_dates.csv", HEADER.replace("open", "session"), ["two columns mean date"]),
        ("empty.csv", "", ["is empty"]),
        ("header_only.csv", HEADER, ["holds no rows"]),
        ("not_a_number.csv", HEADER + BAR + BAR.replace("10.5", "ten"), ["column close", "'ten'", "line 3", "number"]),
        ("not_a_date.csv", HEADER + BAR.replace("2010-05-03", "May 3rd"), ["column date", "'May 3rd'", "line 2", "date"]),
        ("all_refused.csv", HEADER + BAR.replace("11,9", "8,9"), ["no sound bar", "1 were refused", "high_below_low"]),
        ("too_short.csv", HEADER + BAR, ["0 sessions with labels", "4 walk-forward folds"]),
        ("ragged.csv", HEADER + BAR + "AAA,2010-05-04,1,1,1,1,1,1,1\n", ["line 3 has 9 cells, the header 7"]),
        ("not_text.csv", b"\xff\xfe\x00\x01" * 9, ["not_text.csv"]),
        ("not_parquet.parquet", b"PAR1 and nothing more", ["cannot be read as PARQUET"]),
        ("bars.xlsx", b"PK", ["ending '.xlsx'", ".csv"]),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(("csv", "parquet", "xlsx")) else "",
)
def test_a_file_that_cannot_be_used_is_refused_by_its_name(
    name: str, content: str | bytes, named: list[str], home: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    told_of = [] if name in ("all_refused.csv", "too_short.csv") else [name]  # those are wrong as a whole, not in a file
    assert_refused(invoke(home, "run", "--source", "files", "--path", str(path)), home, *told_of, *named)


@pytest.mark.usefixtures("bars")
def test_one_bad_file_among_good_ones_is_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "worse.csv").write_text("symbol\nAAA\n")
    assert_refused(invoke(home, "run", "--source", "files", "--path", str(tmp_path / "*.csv")), home, "worse.csv", "column date")


def test_a_column_of_the_wrong_type_in_parquet_is_refused(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "typed.parquet"
    adjusted_panel(symbols=1, count=5).with_columns(pl.lit("many").alias("volume")).write_parquet(path)
    assert_refused(invoke(home, "run", "--source", "files", "--path", str(path)), home, "typed.parquet", "column volume", "'many'")


def test_files_of_which_one_goes_on_for_longer_are_refused_with_the_session_to_give(home: Path, bars: str) -> None:
    panel = pl.read_csv(bars, try_parse_dates=True)
    days, symbols = panel["date"].unique().sort(), panel["symbol"].unique().sort()
    longer = panel.filter((pl.col("date") < days[-1]) | (pl.col("symbol") == symbols[0]))
    longer.write_csv(bars)
    told = [f"1 of 4 expected symbols have a bar of {days[-1]}", "quality.minimum_coverage", f"give --as-of {days[-2]}"]
    assert_refused(invoke(home, "run", "--source", "files", "--path", bars), home, *told)


@pytest.mark.parametrize("as_of", ["2012-01-02", "2011-12-30", "2012-03-29"])
def test_an_as_of_outside_of_the_files_is_refused(as_of: str, home: Path, bars: str) -> None:
    result = invoke(home, "run", "--source", "files", "--path", bars, "--as-of", as_of)
    assert_refused(result, home, as_of)


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("STOCK_PIPELINE_DATASETS__FOLDS", "three", ["datasets.folds", "'three'", "STOCK_PIPELINE_DATASETS__FOLDS"]),
        ("STOCK_PIPELINE_REGISTRY__PROMOTION__TOLERANCE", "1.5", ["registry.promotion.tolerance", "'1.5'", "1 or less"]),
        ("STOCK_PIPELINE_SCHEDULE__TIME", "25:00", ["schedule.time", "'25:00'"]),
        ("STOCK_PIPELINE_FOLDS", "3", ["STOCK_PIPELINE_FOLDS is set", "no such setting"]),
        ("STOCK_PIPELINE_DATASETS", "[3", ["datasets"]),
        ("STOCK_PIPELINE_EXCHANGE", "MOON", ["'MOON'", "XNYS"]),
        ("STOCK_PIPELINE_SOURCE__NAME", "nasdaq", ["'nasdaq'", "sample"]),
        ("STOCK_PIPELINE_SETTINGS", "nowhere.yaml", ["STOCK_PIPELINE_SETTINGS", "nowhere.yaml"]),
    ],
)
def test_a_wrong_variable_is_refused(variable: str, value: str, named: list[str], home: Path) -> None:
    assert_refused(invoke(home, "run", **{variable: value}), home, *named)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("datasets:\n  folds: three\n", ["datasets.folds", "'three'"]),
        ("datasets:\n  fold: 3\n", ["datasets.fold ", "no such setting"]),
        ("quality: 7\n", ["field quality is a section", "quality.price_tolerance"]),
        ("labels: [\n", ["cannot be read as YAML"]),
    ],
)
@pytest.mark.parametrize("command_name", ["run", "status", "suggest"])
def test_a_wrong_settings_file_is_refused_by_its_name(command_name: str, text: str, named: list[str], home: Path, tmp_path: Path) -> None:
    (tmp_path / "stock_pipeline.yaml").write_text(text)
    assert_refused(invoke(home, command_name), home, "stock_pipeline.yaml", *named)


def test_an_unknown_model_in_the_settings_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "stock_pipeline.yaml").write_text("models:\n  names: [oracle]\n")
    assert_refused(invoke(home, "run"), home, "'oracle'", "spline_ridge")


@pytest.mark.usefixtures("bars")
def test_a_folder_of_the_dagster_instance_that_is_not_there_is_refused(home: Path) -> None:
    result = invoke(home, "run", "--source", "files", "--path", "bars.csv", DAGSTER_HOME="nowhere")
    assert_refused(result, home, "DAGSTER_HOME", "'nowhere'")


def test_a_data_directory_that_is_a_file_is_refused(home: Path, bars: str) -> None:
    home.write_text("not a directory")
    for words in (("run", "--source", "files", "--path", bars), ("status",), ("models", "list")):
        result = invoke(home, *words)
        assert (result.exit_code, result.stdout) == (WRONG_INPUT, "")
        assert f"field home is '{home}', which is a file; give a directory" in result.stderr
    assert home.read_text() == "not a directory"


def test_an_unknown_profile_is_refused(home: Path) -> None:
    assert_refused(invoke(home, "suggest", "--profile", "daring"), home, "'daring'", "conservative")


def test_suggestions_before_any_run_are_refused(home: Path) -> None:
    assert_refused(invoke(home, "suggest"), home, "no suggestions", "stock-pipeline run")


def test_fewer_than_one_suggestion_is_refused(home: Path) -> None:
    result = invoke(home, "suggest", "--top", "0")
    assert (result.exit_code, home.exists()) == (WRONG_INPUT, False)
    assert "--top" in result.stderr


def test_the_status_before_any_run_is_all_null_and_writes_nothing(home: Path) -> None:
    result = invoke(home, "status", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert told["home"] == str(home)
    assert [row["asset"] for row in told["assets"]] == ["/".join(key) for key in KEYS]
    assert all(
        row["rows"] == 0 and {row[name] for name in ("watermark", "last_run", "last_result", "error")} == {None} for row in told["assets"]
    )
    assert told["models"] == [{"model": name, "active_version": None, "versions": 0} for name in (*(e.name for e in CATALOGUE), STACK)]
    assert not home.exists()
    assert invoke(home, "status").exit_code == 0
    assert not home.exists()


def test_a_second_run_at_the_same_time_is_refused(home: Path, bars: str) -> None:
    home.mkdir()
    with FileLock(home / ".run.lock"):
        result = invoke(home, "run", "--source", "files", "--path", bars)
    assert result.exit_code == WRONG_INPUT
    assert str(home) in result.stderr
    assert "another `stock-pipeline run` or training is at work" in result.stderr
    assert [path.name for path in home.iterdir()] == [".run.lock"]


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (StoreBusyError("the store is held by process 7"), FAILED, "Error: the store is held by process 7\n"),
        (KeyboardInterrupt(), INTERRUPTED, "Stopped."),
    ],
)
def test_a_failure_and_an_interruption_have_their_own_exit_codes(
    error: BaseException, code: int, told: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_given: object) -> bool:
        raise error

    monkeypatch.setattr("stock_pipeline.command_line.run.full_run", stopped)
    result = invoke(home, "run")
    assert result.exit_code == code
    assert result.stderr.startswith(told)


def test_a_run_that_fails_exits_with_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stock_pipeline.command_line.run.full_run", lambda *_given: False)
    assert invoke(home, "run").exit_code == FAILED


def test_the_options_reach_the_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def full_run(*arguments: object) -> bool:
        given.extend(arguments)
        return True

    monkeypatch.setattr("stock_pipeline.command_line.run.full_run", full_run)
    asked = RunOptions(date(2010, 5, 3), source="files", path="a/*.csv", reason="manual")
    options = ("--source", "files", "--path", "a/*.csv", "--as-of", "2010-05-03")
    for models, train, more in ((None, False, ["--no-train"]), (("lightgbm", "risk"), True, ["--models", "lightgbm, risk"])):
        given.clear()
        assert invoke(home, "run", *options, *more).exit_code == 0
        assert given == [asked, models, train]


def test_models_to_train_are_refused_where_nothing_is_trained(home: Path) -> None:
    assert_refused(invoke(home, "run", "--no-train", "--models", "lightgbm"), home, "--no-train trains nothing", "give one of them")


def test_an_unknown_model_to_train_is_told_the_stack_too(home: Path) -> None:
    assert_refused(invoke(home, "train", "--models", "lightgbm,gpt"), home, "model 'gpt' is not known", "direction, stack")


def test_the_command_itself_refuses_in_the_same_way(home: Path) -> None:
    ended = command(home, "run", "--as-of", "yesterday")
    assert (ended.returncode, ended.stdout) == (WRONG_INPUT, "")
    assert ended.stderr == "Error: --as-of 'yesterday' is not a date; write it as 2010-08-20\n"
    assert not home.exists()


def test_the_help_of_every_command_is_shown_without_loading_dagster(home: Path) -> None:
    for name in ("run", "status", "suggest"):
        assert "--help" in invoke(home, name, "--help").stdout
    ended = command(home, "--help")
    assert ended.returncode == 0
    code = "import sys, stock_pipeline.command_line.main; print({'dagster', 'polars'} & set(sys.modules) or None)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout.strip() == "None"
