"""Other processes that open a store. They speak over pipes: a line out when they have come somewhere, a line in to go on."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL, VALUE
from stock_pipeline.storage import Stores, migrations, open_stores, replace_sessions
from stock_pipeline_tests.factories.trial_tables import DAYS, NOTE, READINGS, TABLES, author
from stock_pipeline_tests.harness.watched_connections import watch_connections

PROJECT = Path(__file__).resolve().parents[2]
ROWS = 30_000
HELD, STOPPED, DONE = "held", "stopped", "done"


@contextmanager
def other_process(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """This module run with those arguments, and killed on leaving."""
    command = [sys.executable, "-m", __name__, *map(str, arguments)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: "subprocess.Popen[str]") -> str:
    """The next line that the process says; empty when it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: "subprocess.Popen[str]", line: object = "") -> None:
    """Give the process a line."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def many_readings(value: float) -> pl.DataFrame:
    """A large payload for one scope: every session of DAYS, many symbols, the same value."""
    symbols = pl.DataFrame({SYMBOL: [f"S{i:06d}" for i in range(ROWS // len(DAYS))]})
    sessions = pl.DataFrame({SESSION: DAYS})
    return symbols.join(sessions, how="cross").with_columns(pl.lit(value).alias(VALUE), pl.lit(None, pl.String).alias(NOTE))


def write_many(stores: Stores, value: float, watermark: date) -> None:
    """Write the large payload as an asset would."""
    stores.write("ml", author(run_id=f"run-{value}"), [replace_sessions(READINGS, many_readings(value))], watermark)


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _stopping(words: str, stops: bool) -> Callable[[str], None]:
    """Says when a statement that begins with those words has been executed, and then waits for a line, if it is to stop there."""

    def told(statement: str) -> None:
        if statement.startswith(words):
            _say(STOPPED)
            if stops:
                sys.stdin.readline()

    return told


def _hold(home: Path) -> None:
    with open_stores(home).ml.writer():
        _say(HELD)
        sys.stdin.readline()
    _say(DONE)


def _read(home: Path) -> None:
    with open_stores(home).ml.reader():
        _say(HELD)
        sys.stdin.readline()


def _prepare(folder: Path) -> None:
    """For every home told: prepare its stores, with the migrations of that folder."""
    setattr(migrations, "files", lambda _package: folder)  # noqa: B010
    _say(HELD)
    for line in sys.stdin:
        open_stores(Path(line.strip()), wait_seconds=30).prepare(TABLES)
        _say(DONE)


def _prepare_until(home: Path, words: str) -> None:
    stores = open_stores(home, wait_seconds=30)
    watch_connections(after=_stopping(words, stops=True))
    stores.prepare(TABLES)
    _say(DONE)


def _write(home: Path, words: str, stops: str) -> None:
    watch_connections(after=_stopping(words, stops == "stops"))
    write_many(open_stores(home), 2.0, DAYS[-1])
    _say(DONE)


if __name__ == "__main__":
    commands: dict[str, Callable[..., None]] = {
        "hold": lambda home: _hold(Path(home)),
        "read": lambda home: _read(Path(home)),
        "prepare": lambda folder: _prepare(Path(folder)),
        "prepare until": lambda home, words: _prepare_until(Path(home), words),
        "write": lambda home, words, stops: _write(Path(home), words, stops),
    }
    commands[sys.argv[1]](*sys.argv[2:])
