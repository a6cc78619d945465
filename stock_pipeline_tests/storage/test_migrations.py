from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.errors import SchemaError, StockPipelineError
from stock_pipeline.core.table_schema import Column, StoreName
from stock_pipeline.storage import migrations, open_stores, upsert
from stock_pipeline.storage.database import Database
from stock_pipeline.storage.migrations import migrations_of
from stock_pipeline.storage.schema_sync import prepare
from stock_pipeline_tests.factories.trial_tables import DAYS, NAMES, NOTE, SYMBOL_COLUMN, author
from stock_pipeline_tests.harness.store_processes import DONE, HELD, heard, other_process, tell

LEDGER = "SELECT number, name FROM audit.migrations ORDER BY number"


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the ML store's migrations, in place of the real one, with two of them."""
    monkeypatch.setattr(migrations, "files", lambda _package: tmp_path)
    folder = tmp_path / "migrations" / "ml"
    folder.mkdir(parents=True)
    (folder / "0001_first.sql").write_text("CREATE TABLE audit.first (x INTEGER);", encoding="utf-8")
    (folder / "0002_second.sql").write_text("INSERT INTO audit.first VALUES (1); INSERT INTO audit.first VALUES (2);", encoding="utf-8")
    (folder / "notes.txt").write_text("not a migration", encoding="utf-8")
    return folder


def at(path: Path) -> Database:
    return Database(path / "data" / "ml.duckdb", "ml", wait_seconds=5)


def another_process(database: Database) -> Database:
    """The store as a process sees it that has not opened it before: by the path of a link."""
    link = database.path.parent.with_name(f"{database.path.parent.name}_again")
    link.mkdir()
    (link / database.path.name).hardlink_to(database.path)
    return Database(link / database.path.name, database.store, database.wait_seconds)


def held(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.reader() as connection:
        return connection.execute(query).fetchall()


@pytest.mark.usefixtures("steps")
def test_a_new_store_gets_every_migration_in_order_and_only_once(tmp_path: Path) -> None:
    database = at(tmp_path)
    for _ in range(2):
        prepare(database, ())
        assert held(database, LEDGER) == [(1, "first"), (2, "second")]
        assert held(database, "SELECT x FROM audit.first") == [(1,), (2,)]
        database = another_process(database)


def test_a_migration_added_later_is_applied_alone(tmp_path: Path, steps: Path) -> None:
    prepare(at(tmp_path), ())
    (steps / "0003_third.sql").write_text("INSERT INTO audit.first VALUES (3);", encoding="utf-8")
    later = another_process(at(tmp_path))
    prepare(later, ())
    assert held(later, LEDGER)[-1] == (3, "third")
    assert held(later, "SELECT sum(x) FROM audit.first") == [(6,)]


def test_the_number_decides_the_order_and_a_gap_is_refused(tmp_path: Path, steps: Path) -> None:
    (steps / "0004_fourth.sql").write_text("SELECT 1;", encoding="utf-8")
    with pytest.raises(StockPipelineError, match=r"the migrations of ml are not numbered 1, 2, 3 \.\.\.: .*0004_fourth\.sql"):
        prepare(at(tmp_path), ())
    assert not at(tmp_path).path.exists()


def test_a_migration_changed_after_it_was_applied_is_noticed(tmp_path: Path, steps: Path) -> None:
    prepare(at(tmp_path), ())
    (steps / "0002_second.sql").write_text("INSERT INTO audit.first VALUES (9);", encoding="utf-8")
    with pytest.raises(StockPipelineError, match=r"migration 2 \(second\) was changed after .*ml\.duckdb had applied it; restore the file"):
        prepare(another_process(at(tmp_path)), ())
    assert held(at(tmp_path), "SELECT sum(x) FROM audit.first") == [(3,)]


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path, steps: Path) -> None:
    prepare(at(tmp_path), ())
    (steps / "0002_second.sql").unlink()
    with pytest.raises(StockPipelineError, match="has migration 2, which this version does not know; install a newer one"):
        prepare(another_process(at(tmp_path)), ())


def test_a_migration_that_fails_leaves_no_store_behind(tmp_path: Path, steps: Path) -> None:
    (steps / "0003_third.sql").write_text("INSERT INTO audit.nowhere VALUES (3);", encoding="utf-8")
    with pytest.raises(Exception, match="nowhere"):
        prepare(at(tmp_path), ())
    assert not at(tmp_path).path.exists()
    (steps / "0003_third.sql").unlink()
    prepare(at(tmp_path), ())
    assert len(held(at(tmp_path), LEDGER)) == 2


def test_a_migration_that_fails_leaves_an_existing_store_as_it_was(tmp_path: Path, steps: Path) -> None:
    prepare(at(tmp_path), ())
    (steps / "0003_third.sql").write_text("INSERT INTO audit.first VALUES (3); INSERT INTO audit.nowhere VALUES (3);", encoding="utf-8")
    with pytest.raises(Exception, match="nowhere"):
        prepare(another_process(at(tmp_path)), [NAMES])
    assert held(at(tmp_path), "SELECT sum(x) FROM audit.first") == [(3,)]
    assert held(at(tmp_path), LEDGER) == [(1, "first"), (2, "second")]
    assert held(at(tmp_path), "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'trial'") == [(0,)]


@pytest.fixture
def widening(steps: Path) -> Path:
    """A third migration, which makes a column of numbers of a column of text."""
    alter = "ALTER TABLE trial.names ALTER COLUMN note TYPE BIGINT"
    (steps / "0003_numbers.sql").write_text(f"-- rewrites trial.names, trial.more\n{alter};\n", encoding="utf-8")
    return steps


NUMBERED = replace(NAMES, columns=(SYMBOL_COLUMN, Column(NOTE, pl.Int64, "a number")))


def test_a_migration_rewrites_what_its_schema_no_longer_fits(tmp_path: Path, widening: Path) -> None:
    text = (widening / "0003_numbers.sql").read_text(encoding="utf-8")
    (widening / "0003_numbers.sql").unlink()
    stores = open_stores(tmp_path / "data")
    stores.prepare([NAMES])
    old = pl.DataFrame({"symbol": ["A"], NOTE: ["7"]})
    stores.write("ml", author(), [upsert(NAMES, old)], DAYS[0])
    with pytest.raises(SchemaError, match=r"'note' of trial\.names in the ml store is VARCHAR, and its schema has BIGINT"):
        stores.prepare([NUMBERED])
    (widening / "0003_numbers.sql").write_text(text, encoding="utf-8")
    stores.prepare([NUMBERED])
    assert stores.read(NUMBERED).rows() == [("A", 7)]


def test_a_migration_that_rewrites_tables_which_are_not_there_has_nothing_to_do(tmp_path: Path, widening: Path) -> None:
    assert len(list(widening.glob("*.sql"))) == 3
    stores = open_stores(tmp_path / "data")
    stores.prepare([NUMBERED])
    assert held(stores.ml, LEDGER)[-1] == (3, "numbers")
    assert stores.read(NUMBERED).is_empty()


def test_processes_that_start_at_once_apply_each_migration_once(tmp_path: Path, steps: Path) -> None:
    folder = steps.parents[1]
    with other_process("prepare", folder) as one, other_process("prepare", folder) as two, other_process("prepare", folder) as three:
        processes = (one, two, three)
        assert [heard(process) for process in processes] == [HELD] * 3
        for attempt in range(4):
            home = tmp_path / str(attempt)
            for process in processes:
                tell(process, home)
            assert [heard(process) for process in processes] == [DONE] * 3
            assert held(open_stores(home).ml, "SELECT x FROM audit.first") == [(1,), (2,)]
            assert held(open_stores(home).ml, LEDGER) == [(1, "first"), (2, "second")]


@pytest.mark.parametrize("store", ["market", "ml"])
def test_migrations_of_the_package_are_numbered(store: StoreName) -> None:
    found = migrations_of(store)
    assert [step.number for step in found] == list(range(1, len(found) + 1))
    assert len({step.sha256 for step in found}) == len(found)
