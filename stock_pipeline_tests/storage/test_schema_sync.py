import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from stock_pipeline.core.columns import SESSION, SYMBOL, VALUE
from stock_pipeline.core.errors import SchemaError, StoreBusyError
from stock_pipeline.core.table_schema import Column, TableSchema, View
from stock_pipeline.settings import Settings
from stock_pipeline.stages import all_stages
from stock_pipeline.storage import Stores, open_stores, upsert
from stock_pipeline.storage.ddl import SQL_TYPES
from stock_pipeline.storage.tables import OWN_TABLES
from stock_pipeline_tests.factories.trial_tables import DAYS, NAMES, NOTE, READINGS, TABLES, VALUE_COLUMN, audit_rows, author, readings
from stock_pipeline_tests.harness.store_processes import DONE, HELD, STOPPED, heard, other_process, tell
from stock_pipeline_tests.harness.trial_writes import write

STAGES = all_stages(Settings.model_construct())
STAGES_TABLES = tuple(dict.fromkeys(table for stage in STAGES for table in stage.tables))
STAGES_VIEWS = tuple(view for stage in STAGES for view in stage.views)
COUNT = Column("count", pl.Int64, "how many")
WIDER = replace(READINGS, columns=(*READINGS.columns, COUNT))
NARROWER = replace(READINGS, columns=tuple(column for column in READINGS.columns if column.name != VALUE))
STRICT = replace(READINGS, columns=(*READINGS.columns[:2], replace(VALUE_COLUMN, nullable=False), READINGS.columns[3]))
HIGH_READINGS = View("ml", "trial", "high_readings", "SELECT * FROM trial.readings WHERE value > 1", (READINGS,))
ABOVE = View("ml", "trial", "above", "SELECT symbol FROM trial.readings WHERE value > least", (READINGS,), ("least",))


def stored_names(stores: Stores, stage: str = "trial") -> set[object]:
    with stores.ml.reader() as connection:
        return {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = ?", [stage]).fetchall()}


def rows_of(stores: Stores, query: str) -> list[tuple[object, ...]]:
    with stores.ml.reader() as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Stores with every table and view of every stage."""
    stores = open_stores(tmp_path_factory.mktemp("fresh"))
    stores.prepare(STAGES_TABLES, STAGES_VIEWS)
    return stores


@pytest.fixture
def holding(stores: Stores) -> Stores:
    """Stores with one reading."""
    write(stores, {("A", DAYS[0]): (2.0, "a note")})
    return stores


def test_a_new_store_has_every_column_of_every_schema_and_no_other_table(fresh: Stores) -> None:
    for store in (fresh.market, fresh.ml):
        own = [table for table in STAGES_TABLES if table.store == store.store]
        wanted = {
            (table.room, table.name, column.name, SQL_TYPES[column.dtype], column.nullable)
            for table in (*own, *OWN_TABLES)
            for column in table.columns
        }
        with store.reader() as connection:
            query = "SELECT schema_name, table_name, column_name, data_type, is_nullable FROM duckdb_columns()"
            tables = "(SELECT table_name FROM duckdb_tables())"
            assert set(connection.execute(f"{query} WHERE NOT internal AND table_name IN {tables}").fetchall()) == wanted


def test_no_table_is_indexed(fresh: Stores) -> None:
    for database in (fresh.market, fresh.ml):
        with database.reader() as connection:
            assert connection.execute("SELECT index_name FROM duckdb_indexes()").fetchall() == []
            keys = "SELECT table_name FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE')"
            assert connection.execute(keys).fetchall() == []


@pytest.mark.parametrize("view", STAGES_VIEWS, ids=lambda view: view.qualified_name)
def test_the_views_of_the_stages_can_be_read(view: View, fresh: Stores) -> None:
    with fresh.database(view.store).reader() as connection:
        values = [date(2024, 1, 2)] * len(view.parameters)
        call = f"({', '.join('?' * len(values))})" if values else ""
        assert connection.execute(f"FROM {view.qualified_name}{call}", values).fetchall() == []


def test_a_new_column_is_null_in_the_rows_that_are_there(holding: Stores) -> None:
    holding.prepare([WIDER])
    assert holding.read(WIDER).rows() == [("A", DAYS[0], 2.0, "a note", None)]
    row = readings({("B", DAYS[0]): (1.0, None)}).with_columns(pl.lit(7).alias("count"))
    holding.write("ml", author(), [upsert(WIDER, row)], DAYS[0])
    assert holding.read(WIDER)["count"].to_list() == [None, 7]
    assert holding.read(READINGS).height == 2


def test_a_column_that_is_taken_out_stays_and_breaks_no_insert(stores: Stores) -> None:
    strict = replace(STRICT, name="strict")
    without = replace(NARROWER, name="strict")
    stores.prepare([strict])
    stores.write("ml", author(), [upsert(strict, readings({("A", DAYS[0]): (2.0, None)}))], DAYS[0])
    stores.prepare([without])
    stores.write("ml", author(), [upsert(without, readings({("B", DAYS[0]): (None, None)}).drop(VALUE))], DAYS[0])
    assert stores.read(without).rows() == [("A", DAYS[0], None), ("B", DAYS[0], None)]
    assert stores.read(strict)[VALUE].to_list() == [2.0, None]


def test_a_column_that_may_be_null_from_now_on_is_so_in_the_store_too(stores: Stores) -> None:
    strict, lenient = (replace(table, name="strict") for table in (STRICT, READINGS))
    stores.prepare([strict])
    stores.prepare([lenient])
    stores.write("ml", author(), [upsert(lenient, readings({("A", DAYS[0]): (None, None)}))], DAYS[0])
    assert stores.read(lenient)[VALUE].to_list() == [None]


def test_nulls_are_refused_where_the_schema_refuses_them(stores: Stores) -> None:
    stores.prepare([replace(STRICT, name="strict")])
    with stores.ml.writer() as connection, pytest.raises(Exception, match="NOT NULL constraint failed"):
        connection.execute("INSERT INTO trial.strict VALUES ('A', DATE '2012-01-03', NULL, NULL)")


OTHER_TYPE = replace(READINGS, columns=(*READINGS.columns[:2], replace(VALUE_COLUMN, dtype=pl.Int64), READINGS.columns[3]))
OTHER_KEY = replace(WIDER, key=(SYMBOL, SESSION, "count"))


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (OTHER_TYPE, r"column 'value' of trial\.readings in the ml store is DOUBLE, and its schema has BIGINT"),
        (OTHER_KEY, r"column 'count' of trial\.readings in the ml store is missing, and its schema has BIGINT"),
    ],
    ids=["another type", "a column of the key"],
)
def test_what_only_a_migration_can_mend_is_refused_by_name(table: TableSchema, wrong: str, holding: Stores) -> None:
    told = rf"{wrong}; rewrite what is stored by a numbered migration in stock_pipeline/storage/migrations/ml"
    before, new = audit_rows(holding), replace(NAMES, name="new")
    with pytest.raises(SchemaError, match=told):
        holding.prepare([new, table])
    row = pl.DataFrame({SYMBOL: ["B"], SESSION: [DAYS[0]], VALUE: [1], NOTE: ["x"], "count": [1]}).select(table.column_names)
    writes = [upsert(new, pl.DataFrame({SYMBOL: ["A"], NOTE: ["x"]})), upsert(table, row)]
    with pytest.raises(SchemaError, match=told):
        holding.write("ml", author(), writes, DAYS[0])
    assert audit_rows(holding) == before
    assert "new" not in stored_names(holding)


def test_a_store_that_lacks_nothing_is_not_opened_for_writing(stores: Stores) -> None:
    with stores.ml.reader():
        stores.prepare(TABLES)


def test_what_has_been_seen_once_is_not_looked_for_again(stores: Stores) -> None:
    stores.prepare(TABLES)
    with other_process("hold", stores.home) as holder:
        assert heard(holder) == HELD
        stores.prepare(TABLES)
        with pytest.raises(StoreBusyError):
            open_stores(stores.home, wait_seconds=0.1).prepare([replace(NAMES, name="new")])


def test_another_file_in_the_place_of_one_that_was_seen_is_looked_at(stores: Stores, tmp_path: Path) -> None:
    shutil.copy(stores.ml.path, tmp_path / "copy")
    new = replace(NAMES, name="new")
    stores.prepare([new])
    (tmp_path / "copy").replace(stores.ml.path)
    stores.prepare([new])
    assert "new" in stored_names(stores)


def test_a_view_is_made_with_the_tables_that_it_reads_and_again_when_it_is_another(tmp_path: Path) -> None:
    stores = open_stores(tmp_path)
    stores.prepare((), [HIGH_READINGS, ABOVE])
    write(stores, {("A", DAYS[0]): (2.0, None), ("B", DAYS[0]): (1.0, None)})
    assert rows_of(stores, "SELECT symbol FROM trial.high_readings") == [("A",)]
    assert rows_of(stores, "FROM trial.above(0) ORDER BY symbol") == [("A",), ("B",)]
    stores.prepare((), [replace(HIGH_READINGS, sql="SELECT * FROM trial.readings WHERE value > 2")])
    assert rows_of(stores, "SELECT symbol FROM trial.high_readings") == []
    with stores.ml.reader():
        open_stores(tmp_path).prepare((), [ABOVE])  # nothing to write


def test_a_view_of_every_column_has_one_that_came_later(tmp_path: Path) -> None:
    stores = open_stores(tmp_path)
    stores.prepare((), [HIGH_READINGS])
    write(stores, {("A", DAYS[0]): (2.0, None)})
    stores.prepare([WIDER], [HIGH_READINGS])
    assert rows_of(stores, "FROM trial.high_readings") == [("A", DAYS[0], 2.0, None, None)]


def test_processes_that_prepare_at_once_all_find_every_table(tmp_path: Path) -> None:
    package = Path(__file__).resolve().parents[2] / "stock_pipeline" / "storage"
    with other_process("prepare", package) as one, other_process("prepare", package) as two:
        assert [heard(one), heard(two)] == [HELD] * 2
        for attempt in range(4):
            home = tmp_path / str(attempt)
            if attempt % 2:
                open_stores(home).prepare(())  # the files are there, and the tables are not
            for process in (one, two):
                tell(process, home)
            assert [heard(one), heard(two)] == [DONE] * 2
            assert stored_names(open_stores(home)) == {table.name for table in TABLES}


def test_a_process_killed_while_it_makes_a_store_leaves_none_and_the_next_one_makes_it(tmp_path: Path) -> None:
    stores = open_stores(tmp_path, wait_seconds=0.1)
    with other_process("prepare until", tmp_path, 'CREATE TABLE "trial"."names"') as process:
        assert heard(process) == STOPPED
        assert not stores.ml.path.exists()
        with pytest.raises(StoreBusyError, match=r"another process is creating .*ml\.duckdb and took longer than 0\.1 s"):
            stores.prepare(TABLES)
        process.kill()
        process.wait()
    stores.prepare(TABLES)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("ml")) == ["ml.duckdb", "ml.duckdb.lock"]
    assert stored_names(stores) == {table.name for table in TABLES}


@pytest.mark.parametrize("step", ['CREATE TABLE "trial"."names"', 'CREATE TABLE "trial"."catalogued"'])
def test_a_process_killed_while_it_adds_tables_has_added_none(step: str, tmp_path: Path) -> None:
    stores = open_stores(tmp_path)
    stores.prepare(())
    with other_process("prepare until", tmp_path, step) as process:
        assert heard(process) == STOPPED
        process.kill()
        process.wait()
    assert stored_names(stores) == set()
    stores.prepare(TABLES)
    assert stored_names(stores) == {table.name for table in TABLES}


def test_what_a_killed_process_left_half_made_is_not_used(tmp_path: Path) -> None:
    for leftover in ("ml.duckdb.unfinished", "ml.duckdb.unfinished.wal"):
        (tmp_path / leftover).write_bytes(b"half")
    open_stores(tmp_path).prepare(TABLES)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("ml")) == ["ml.duckdb", "ml.duckdb.lock"]


def test_a_copy_of_a_new_store_holds_everything_without_a_log_beside_it(fresh: Stores, tmp_path: Path) -> None:
    shutil.copy(fresh.ml.path, tmp_path / "ml.duckdb")
    copy = open_stores(tmp_path)
    with copy.ml.reader():
        copy.prepare([table for table in STAGES_TABLES if table.store == "ml"])
