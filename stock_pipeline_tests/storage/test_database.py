import time
from pathlib import Path

import pytest

from stock_pipeline.core.errors import StockPipelineError, StoreBusyError
from stock_pipeline.storage import Stores, open_stores
from stock_pipeline.storage.database import HARDENING, Database
from stock_pipeline_tests.harness.store_processes import DONE, HELD, heard, other_process, tell

INSERTION = "INSERT INTO trial.names VALUES ('A', 'a name')"
COUNT = "SELECT count(*) FROM trial.names"


def count(database: Database) -> int:
    with database.reader() as connection:
        return int(connection.execute(COUNT).fetchall()[0][0])


def test_a_transaction_is_committed_on_leaving(stores: Stores) -> None:
    with stores.ml.writer() as connection:
        connection.execute(INSERTION)
    assert count(stores.ml) == 1


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_transaction_is_rolled_back_whatever_is_raised(stores: Stores, raised: type[BaseException]) -> None:
    with pytest.raises(raised), stores.ml.writer() as connection:
        connection.execute(INSERTION)
        connection.execute("CREATE TABLE trial.more (x INTEGER)")
        raise raised
    with stores.ml.writer() as connection:
        assert connection.execute(COUNT).fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'more'").fetchall() == [(0,)]


def test_a_statement_that_fails_undoes_those_before_it(stores: Stores) -> None:
    with pytest.raises(Exception, match="NOT NULL"), stores.ml.writer() as connection:
        connection.execute(INSERTION)
        connection.execute("INSERT INTO trial.names VALUES (NULL, 'nobody')")
    assert count(stores.ml) == 0


def test_connections_are_closed_on_leaving(stores: Stores) -> None:
    with stores.ml.reader() as reading:
        pass
    with stores.ml.writer() as writing:
        pass
    for connection in (reading, writing):
        with pytest.raises(Exception, match="closed"):
            connection.execute("SELECT 1")


def test_a_reader_cannot_write(stores: Stores) -> None:
    with stores.ml.reader() as connection, pytest.raises(Exception, match="read-only"):
        connection.execute(INSERTION)


def test_reading_a_store_that_is_not_there_says_what_to_do_and_makes_none(tmp_path: Path) -> None:
    absent = open_stores(tmp_path).ml
    with pytest.raises(StockPipelineError, match=r"ml\.duckdb does not exist yet; run `stock-pipeline run` first"), absent.reader():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_not_mistaken_for_a_busy_one(tmp_path: Path) -> None:
    damaged = Database(tmp_path / "ml.duckdb", "ml", wait_seconds=60)
    damaged.path.write_bytes(b"not a database" * 1000)
    with pytest.raises(Exception, match="not a valid DuckDB database file"), damaged.reader():
        pass


@pytest.mark.parametrize("access", ["reader", "writer"])
def test_a_store_that_another_process_writes_is_busy_after_the_wait_and_its_holder_is_named(stores: Stores, access: str) -> None:
    waiting = Database(stores.ml.path, "ml", wait_seconds=0.2)
    with other_process("hold", stores.home) as holder:
        assert heard(holder) == HELD
        began = time.monotonic()
        wanted = rf"ml\.duckdb is held by process {holder.pid} \(.+\) and was not released within 0\.2 s; wait for it or end it"
        with pytest.raises(StoreBusyError, match=wanted), getattr(waiting, access)():
            pass
        assert 0.2 <= time.monotonic() - began < 30


def test_a_store_is_opened_as_soon_as_its_holder_lets_go(stores: Stores) -> None:
    with other_process("hold", stores.home) as holder:
        assert heard(holder) == HELD
        tell(holder)
        with stores.ml.writer() as connection:
            connection.execute(INSERTION)
        assert heard(holder) == DONE
    assert count(stores.ml) == 1


def test_the_lock_of_a_killed_process_is_free(stores: Stores) -> None:
    with other_process("hold", stores.home) as holder:
        assert heard(holder) == HELD
        holder.kill()
        holder.wait()
        with Database(stores.ml.path, "ml", wait_seconds=0).writer() as connection:
            connection.execute(INSERTION)


def test_readers_share_a_store_and_a_writer_waits_for_them(stores: Stores) -> None:
    waiting = Database(stores.ml.path, "ml", wait_seconds=0.1)
    with other_process("read", stores.home) as other:
        assert heard(other) == HELD
        assert count(waiting) == 0
        with pytest.raises(StoreBusyError, match=f"process {other.pid}"), waiting.writer():
            pass


def test_a_connection_of_one_s_own_process_is_called_that(stores: Stores) -> None:
    waiting = Database(stores.ml.path, "ml", wait_seconds=0.1)
    with stores.ml.reader(), pytest.raises(StoreBusyError, match=r"is held by another connection of this process"), waiting.writer():
        pass


OUTWARD = [
    "COPY (SELECT 1) TO '{outside}'",
    "EXPORT DATABASE '{outside}'",
    "SELECT * FROM read_csv('{inside}')",
    "SELECT * FROM '{inside}'",
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM glob('/etc/*')",
    "ATTACH '{outside}' AS elsewhere",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET autoload_known_extensions = true",
]


@pytest.mark.parametrize("access", ["reader", "writer"])
def test_a_store_reaches_nothing_outside_of_its_own_file(stores: Stores, tmp_path: Path, access: str) -> None:
    inside, outside = tmp_path / "inside.csv", tmp_path / "outside"
    inside.write_text("a,b\n1,2\n", encoding="utf-8")
    refusals = r"disabled (by|through) configuration|configuration has been locked"
    for statement in OUTWARD:
        with pytest.raises(Exception, match=refusals), getattr(stores.ml, access)() as connection:
            connection.execute(statement.format(inside=inside, outside=outside)).fetchall()
    assert not outside.exists()


def test_every_hardening_setting_is_in_force(stores: Stores) -> None:
    with stores.ml.reader() as connection:
        held = dict(connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert {name: held[name] for name in HARDENING} == {name: str(value).lower() for name, value in HARDENING.items()}


def test_a_written_file_can_be_read_by_the_oldest_duckdb_that_we_support(stores: Stores) -> None:
    with stores.ml.reader() as connection:
        tags = connection.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'ml'").fetchall()
    assert tags[0][0].get("storage_version", "").startswith("v1.5")
