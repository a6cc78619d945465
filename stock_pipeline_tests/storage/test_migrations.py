import shutil
from pathlib import Path

import pytest

from stock_pipeline.core.errors import StockPipelineError, StoreBusyError
from stock_pipeline.core.table_schema import StoreName, TableSchema
from stock_pipeline.definitions import TABLES
from stock_pipeline.storage import Stores, migrations, open_stores
from stock_pipeline.storage.database import Database
from stock_pipeline.storage.ddl import SQL_TYPES, create_statement
from stock_pipeline.storage.migrations import migrate, migrations_of
from stock_pipeline_tests.harness.store_processes import HELD, STOPPED, heard, other_process, tell

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


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "data" / "ml.duckdb", "ml", wait_seconds=5)


def held(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.reader() as connection:
        return connection.execute(query).fetchall()


@pytest.mark.usefixtures("steps")
def test_a_new_store_gets_every_migration_in_order_and_only_once(database: Database) -> None:
    assert [step.number for step in migrate(database)] == [1, 2]
    assert migrate(database) == []
    assert held(database, LEDGER) == [(1, "first"), (2, "second")]
    assert held(database, "SELECT x FROM audit.first") == [(1,), (2,)]


def test_a_migration_added_later_is_applied_alone(database: Database, steps: Path) -> None:
    migrate(database)
    (steps / "0003_third.sql").write_text("INSERT INTO audit.first VALUES (3);", encoding="utf-8")
    assert [step.name for step in migrate(database)] == ["third"]
    assert held(database, "SELECT sum(x) FROM audit.first") == [(6,)]


def test_the_number_decides_the_order_and_a_gap_is_refused(database: Database, steps: Path) -> None:
    (steps / "0004_fourth.sql").write_text("SELECT 1;", encoding="utf-8")
    with pytest.raises(StockPipelineError, match=r"the migrations of ml are not numbered 1, 2, 3 \.\.\.: .*0004_fourth\.sql"):
        migrate(database)
    assert not database.path.exists()


def test_a_migration_changed_after_it_was_applied_is_noticed(database: Database, steps: Path) -> None:
    migrate(database)
    (steps / "0002_second.sql").write_text("INSERT INTO audit.first VALUES (9);", encoding="utf-8")
    with pytest.raises(StockPipelineError, match=r"migration 2 \(second\) was changed after .*ml\.duckdb had applied it; restore the file"):
        migrate(database)
    assert held(database, "SELECT sum(x) FROM audit.first") == [(3,)]


def test_a_store_of_a_newer_version_is_refused(database: Database, steps: Path) -> None:
    migrate(database)
    (steps / "0002_second.sql").unlink()
    with pytest.raises(StockPipelineError, match="has migration 2, which this version does not know; install a newer one"):
        migrate(database)


def test_a_migration_that_fails_leaves_no_store_behind(database: Database, steps: Path) -> None:
    (steps / "0003_third.sql").write_text("INSERT INTO audit.nowhere VALUES (3);", encoding="utf-8")
    with pytest.raises(Exception, match="nowhere"):
        migrate(database)
    assert not database.path.exists()
    (steps / "0003_third.sql").unlink()
    assert len(migrate(database)) == 2


def test_a_migration_that_fails_leaves_an_existing_store_as_it_was(database: Database, steps: Path) -> None:
    migrate(database)
    (steps / "0003_third.sql").write_text("INSERT INTO audit.first VALUES (3); INSERT INTO audit.nowhere VALUES (3);", encoding="utf-8")
    with pytest.raises(Exception, match="nowhere"):
        migrate(database)
    assert held(database, "SELECT sum(x) FROM audit.first") == [(3,)]
    assert held(database, LEDGER) == [(1, "first"), (2, "second")]


def test_an_up_to_date_store_is_not_opened_for_writing(stores: Stores) -> None:
    with stores.ml.reader():
        assert migrate(stores.ml) == []


def test_processes_that_start_at_once_apply_each_migration_once(tmp_path: Path) -> None:
    count = len(migrations_of("ml"))
    with other_process("migrate") as one, other_process("migrate") as two, other_process("migrate") as three:
        processes = (one, two, three)
        assert [heard(process) for process in processes] == [HELD] * 3
        for attempt in range(4):
            for process in processes:
                tell(process, tmp_path / str(attempt))
            assert sorted(int(heard(process)) for process in processes) == [0, 0, count]
            assert held(open_stores(tmp_path / str(attempt)).ml, "SELECT count(*) FROM audit.migrations") == [(count,)]


def test_a_process_killed_while_it_makes_a_store_leaves_none_and_the_next_one_makes_it(tmp_path: Path) -> None:
    store = Database(tmp_path / "ml.duckdb", "ml", wait_seconds=0.1)
    with other_process("create", tmp_path, "_apply") as process:
        assert heard(process) == STOPPED
        assert not store.path.exists()
        with pytest.raises(StoreBusyError, match=r"another process is creating .*ml\.duckdb and took longer than 0\.1 s"):
            migrate(store)
        process.kill()
        process.wait()
    assert len(migrate(store)) == len(migrations_of("ml"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ml.duckdb", "ml.duckdb.lock"]


def test_what_a_killed_process_left_half_made_is_not_used(tmp_path: Path) -> None:
    for leftover in ("ml.duckdb.unfinished", "ml.duckdb.unfinished.wal"):
        (tmp_path / leftover).write_bytes(b"half")
    store = Database(tmp_path / "ml.duckdb", "ml")
    assert len(migrate(store)) == len(migrations_of("ml"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ml.duckdb", "ml.duckdb.lock"]


@pytest.mark.parametrize("store", ["market", "ml"])
def test_migrations_stand_in_the_package_and_are_hashed(store: StoreName) -> None:
    found = migrations_of(store)
    assert [step.number for step in found] == list(range(1, len(found) + 1))
    assert len({step.sha256 for step in found}) == len(found)
    assert found[0].name == "audit"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    stores = open_stores(tmp_path_factory.mktemp("fresh"))
    stores.migrate()
    return stores


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.qualified_name)
def test_a_table_s_schema_agrees_with_its_migration(table: TableSchema, fresh: Stores) -> None:
    with fresh.database(table.store).reader() as connection:
        found = connection.execute(
            "SELECT column_name, data_type, is_nullable FROM duckdb_columns() "
            "WHERE schema_name = ? AND table_name = ? ORDER BY column_index",
            [table.stage, table.name],
        ).fetchall()
    # A table with columns from a catalogue is made with its key; its writes add the others.
    columns = [column for column in table.columns if not table.open_columns or column.name in table.key]
    wanted = [(column.name, SQL_TYPES[column.dtype], column.nullable) for column in columns]
    assert found == wanted, (
        f"{table.qualified_name} is another in the migrations of {table.store} than in its schema; add a migration that leads to\n\n"
        f"{create_statement(table)}\n"
    )


def test_no_table_is_indexed(fresh: Stores) -> None:
    for database in (fresh.market, fresh.ml):
        assert held(database, "SELECT index_name FROM duckdb_indexes()") == []
        assert held(database, "SELECT table_name FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE')") == []


def test_every_stored_table_belongs_to_a_stage_or_to_the_audit_trail(fresh: Stores) -> None:
    known = {(table.store, table.stage, table.name) for table in TABLES}
    for store in ("market", "ml"):
        tables = held(fresh.database(store), "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name <> 'audit'")
        assert {(store, *table) for table in tables} == {place for place in known if place[0] == store}


def test_a_copy_of_a_new_store_holds_everything_without_a_log_beside_it(fresh: Stores, tmp_path: Path) -> None:
    shutil.copy(fresh.ml.path, tmp_path / "ml.duckdb")
    assert migrate(Database(tmp_path / "ml.duckdb", "ml")) == []
