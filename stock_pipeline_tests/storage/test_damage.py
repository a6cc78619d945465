"""Files of a store that cannot be opened: one sentence with the file and the remedy, and no traceback."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.core.errors import StockPipelineError, StoreDamagedError
from stock_pipeline.storage.damage import problem_of
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.invocation import invoke


def junk(path: Path) -> None:
    path.write_text("this is no database")


def cut(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size // 2)


def overwritten(path: Path) -> None:
    with path.open("rb+") as file:
        file.seek(4_096)
        file.write(b"\xff" * 8_192)


@pytest.mark.parametrize("store", ["market.duckdb", "ml.duckdb"])
@pytest.mark.parametrize("break_file", [junk, cut, overwritten])
def test_a_damaged_store_is_named_with_its_remedy(break_file: Callable[[Path], None], store: str, tmp_path: Path) -> None:
    home = ingested(tmp_path / "data", date(2024, 5, 3)).home
    break_file(home / store)
    ended = invoke(home, "status")
    assert (ended.exit_code, ended.stdout) == (FAILED, "")
    assert ended.stderr.startswith(f"Error: {home / store} is damaged: ") and str(home / "backups") in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_the_log_beside_a_store_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "ml.duckdb.wal").write_bytes(b"x")
    problem = problem_of(tmp_path / "ml.duckdb", duckdb.IOException("bad header\nstack trace"))
    assert isinstance(problem, StoreDamagedError)
    assert "ml.duckdb or ml.duckdb.wal beside it is damaged: bad header; " in str(problem)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("IO Error: Could not write file: No space left on device", "is full; free space on it"),
        ("IO Error: Cannot open file: Permission denied", "permission denied; give this user the right"),
        ("IO Error: Cannot open file: Read-only file system", "read-only; choose a data directory elsewhere"),
    ],
)
def test_what_ails_the_disk_is_no_damage(words: str, told: str, tmp_path: Path) -> None:
    problem = problem_of(tmp_path / "ml.duckdb", duckdb.IOException(words))
    assert type(problem) is StockPipelineError
    assert str(tmp_path / "ml.duckdb") in str(problem) and told in str(problem)
