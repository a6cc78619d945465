"""Files of a store that cannot be opened: one sentence with the file and the remedy, and no traceback."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from stock_pipeline.command_line.errors import FAILED
from stock_pipeline.core.errors import StockPipelineError, StoreDamagedError
from stock_pipeline.orchestration.instance import prepare_dagster_home
from stock_pipeline.storage.damage import problem_of
from stock_pipeline_tests.factories.rows import ingested
from stock_pipeline_tests.harness.invocation import invoke
from stock_pipeline_tests.harness.plain_settings import plain_settings


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


def test_a_commit_that_failed_on_a_full_disk_says_so(tmp_path: Path) -> None:
    error = duckdb.TransactionException("Failed to commit: Could not write file: No space left on device")
    assert "is full; free space on it" in str(problem_of(tmp_path / "ml.duckdb", error))
    assert "could not be written: aborted" in str(problem_of(tmp_path / "ml.duckdb", duckdb.TransactionException("aborted")))


@pytest.mark.parametrize("database", ["runs.db", "runs/index.db"])
def test_a_damaged_database_of_dagster_is_named_with_its_remedy(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = plain_settings(tmp_path / "data")
    home = prepare_dagster_home(settings)
    for log in (home / "history").rglob("*.db-*"):
        log.unlink()
    (home / "history" / database).write_bytes(b"this is no database, and long enough to be looked at as if it were one" * 99)
    with pytest.raises(StockPipelineError, match=r"the Dagster instance in .*dagster cannot be used: .*; put .* aside"):
        prepare_dagster_home(settings)


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
