"""Text from data, errors and options on its way to a terminal: shown letter by letter, whatever it is written like."""

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from stock_pipeline.command_line.errors import FAILED, WRONG_INPUT
from stock_pipeline.command_line.layout import figure, words
from stock_pipeline.command_line.progress import RunWatcher
from stock_pipeline.command_line.terminal import show_table
from stock_pipeline.core.columns import SYMBOL
from stock_pipeline.models.catalogue import CATALOGUE
from stock_pipeline.orchestration.progress import Progressed, Started
from stock_pipeline.portfolio.tables import SUGGESTED_STOCKS
from stock_pipeline.storage import Stores
from stock_pipeline_tests.command_line.test_suggest import row
from stock_pipeline_tests.factories.rows import empty_stores, ingested, put
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.plain_settings import plain_environment
from stock_pipeline_tests.harness.training_desk import Desk, StandIns

DAY = date(2024, 5, 3)
MARKUP = ("A[/b]", "[/a/b]", "[bold]x[/bold]", ":warning:", "[link=x]y", "A\\[b]")
CONTROL = ("A\x1b[31mB", "A\nB", "A\x00B", "A\u202eB", "A\rB")
HUGE = "99999999999999999999"


def suggested(home: Path, symbols: tuple[str, ...]) -> Stores:
    stores = empty_stores(home)
    put(stores, SUGGESTED_STOCKS, [row("default", rank, symbol=symbol, name=symbol) for rank, symbol in enumerate(symbols, 1)], DAY)
    return stores


def test_symbols_are_shown_as_they_are_written(tmp_path: Path) -> None:
    ended = invoke(suggested(tmp_path, MARKUP).home, "suggest", COLUMNS="120")
    assert ended.exit_code == 0, ended.output
    assert set(MARKUP) <= set(ended.output.split())


@pytest.mark.parametrize("form", [(), ("--csv",), ("--json",)])
def test_control_characters_of_data_do_not_reach_the_terminal(form: tuple[str, ...], tmp_path: Path) -> None:
    told = invoke(suggested(tmp_path, CONTROL).home, "suggest", *form).output
    assert not [character for character in told if character != "\n" and not character.isprintable()]
    if form == ("--json",):
        assert [one[SYMBOL] for one in json.loads(told)["suggestions"]] == list(CONTROL)
    else:
        assert "A\\x1b[31mB" in told and "A\\x00B" in told
        assert "A B" in told  # a line break of a value ends no line of the table


def test_errors_are_shown_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(ingested(tmp_path / "data", DAY).home, monkeypatch)
    errors = dict(zip((f"models/{entry.name}" for entry in CATALOGUE), (*MARKUP, "A\x1b[31mB", "A\x00B"), strict=False))
    assert len(errors) == len(MARKUP) + 2
    code, told = desk.train(stages=StandIns(failing=errors))
    assert code == FAILED
    for arguments in ((), ("training-jobs", "list"), ("training-jobs", "show", "1"), ("status",)):
        told = desk.told(*arguments)[1] if arguments else told
        for error in errors.values():
            assert "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in error) in told
        assert "\x1b" not in told and "\x00" not in told


def test_what_the_encoding_of_the_output_lacks_is_drawn_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with contextlib.redirect_stdout(output):
        show_table("Names", (words("name"), figure("close")), [("Nestlé " * 20, "77.73")])
    output.seek(0)
    assert "Nestl\\xe9" in (told := output.read()) and "77.73" in told


def test_the_progress_bar_shows_notes_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich takes the output for a terminal
    monkeypatch.setenv("COLUMNS", "200")
    output = io.StringIO()
    with contextlib.redirect_stdout(output), RunWatcher(1) as watcher:
        watcher(Started("models/[/b]"))
        watcher(Progressed("models/[/b]", "[bold]x[/bold] :warning: \x1b[2J"))
    assert "models/[/b]" in output.getvalue() and "[bold]x[/bold] :warning: \\x1b[2J" in output.getvalue()
    assert "\x1b[2J" not in output.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--sessions", HUGE),
        ("train", "--folds", HUGE),
        ("train", "--trials", "9" * 5_000),
        ("train", "--reason", "r" * 5_000),
        ("train", "--models", "m" * 5_000),
        ("training-jobs", "list", "--page", HUGE),
        ("training-jobs", "list", "--per-page", HUGE),
        ("training-jobs", "show", HUGE),
        ("training-jobs", "show", "[/b]"),
        ("training-jobs", "delete", "9" * 5_000),
        ("models", "promote", "lightgbm", HUGE),
        ("models", "rollback", "lightgbm", "--to", HUGE),
        ("models", "show", "m" * 3_000),
        ("suggest", "--top", HUGE),
        ("suggest", "--profile", "[/b]"),
        ("mlflow", "--port", HUGE),
        ("run", "--source", "files", "--path", "a" * 5_000),
        ("run", "--source", "files", "--path", "a" * 4_000),
        ("run", "--source", "files", "--path", "a/" * 2_000),
        ("run", "--source", "files", "--path", "a\x00b"),
        ("run", "--source", "files", "--path", "[/a/b]"),
        ("run", "--source", "s\x1b[31m"),
        ("run", "--as-of", "9" * 5_000),
        ("--nonsense" * 1_000,),
        ("[/b]",),
    ],
    ids=lambda arguments: "-".join(part[:20] for part in arguments).encode("unicode_escape").decode(),
)
def test_a_huge_or_hostile_value_is_refused_in_a_sentence_of_readable_length(arguments: tuple[str, ...], tmp_path: Path) -> None:
    home = tmp_path / "data"
    ended = invoke(home, *arguments)
    assert (ended.exit_code, ended.stdout, home.exists()) == (WRONG_INPUT, "", False)
    told = ended.stderr.removesuffix("\n")
    assert told.startswith("Error: ") and told.isprintable() and len(told) < 600
    given = arguments[-1].encode("unicode_escape").decode()
    assert given[:12] in told or "there are no" in told or f"{len(arguments[-1]):,} characters; give at most 4,096" in told


@pytest.mark.parametrize("width", [80, 120, 200])
def test_on_a_terminal_lines_are_as_wide_as_it_is(width: int, tmp_path: Path) -> None:
    stores = suggested(tmp_path, ("A[/b]", "x" * 250))
    told = on_a_terminal(width, stores.home, "suggest")
    lines = [line.rstrip("\r") for line in told.split("\n")]
    assert 0.9 * width < max(map(len, lines)) <= width
    assert "A[/b]" in told and told.count("77.73") == 2 and told.count("+0.0100%") == 2


def on_a_terminal(width: int, home: Path, *arguments: str) -> str:
    """What the command prints on a terminal of that width, without its colours."""
    ours, its = pty.openpty()
    os.set_blocking(ours, True)
    subprocess.run(["stty", "cols", str(width), "rows", "50"], stdin=its, check=True)  # noqa: S607
    variables = {name: value for name, value in plain_environment().items() if name != "COLUMNS"}
    environment = variables | {"STOCK_PIPELINE_HOME": str(home), "TERM": "xterm", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "stock_pipeline.command_line.main", *arguments]
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, cwd=home)
    os.close(its)
    told = b""
    try:
        while piece := os.read(ours, 65_536):
            told += piece
    except OSError:  # the terminal has been closed by all who wrote to it
        pass
    os.close(ours)
    assert process.wait() == 0, told
    plain = told.decode()
    for code in ("\x1b[1m", "\x1b[3m", "\x1b[2m", "\x1b[0m"):
        plain = plain.replace(code, "")
    return plain
