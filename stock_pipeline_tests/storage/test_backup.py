from pathlib import Path

import pytest

from stock_pipeline.core.errors import StoreBusyError
from stock_pipeline.storage import Stores, upsert
from stock_pipeline.storage.database import Database
from stock_pipeline.storage.stores import Stores as StoresAt
from stock_pipeline_tests.factories.trial_tables import DAYS, READINGS, TABLES, VERSIONS, audit_rows, author, readings
from stock_pipeline_tests.harness.store_processes import HELD, heard, other_process

EVERYTHING = "SELECT schema_name, table_name, sql FROM duckdb_tables() ORDER BY ALL"


@pytest.fixture
def written(stores: Stores) -> Stores:
    rows = readings({(f"S{i}", day): (float(i), None if i % 2 else "text") for i in range(50) for day in DAYS})
    stores.write("ml", author(), [upsert(READINGS, rows)], DAYS[-1])
    return stores


def at(path: Path, like: Stores) -> Stores:
    return StoresAt(like.home, like.market, Database(path, "ml"))


def test_a_copy_equals_its_source(written: Stores, tmp_path: Path) -> None:
    target = tmp_path / "a folder" / "of it's own" / "ml.duckdb"
    size = written.ml.copy_to(target)
    assert size == target.stat().st_size > 0
    copy = at(target, written)
    for table in TABLES:
        assert copy.content_hash(table) == written.content_hash(table)
    assert copy.count(READINGS) == 300
    assert audit_rows(copy) == audit_rows(written)
    assert copy.watermark("ml", "trial/readings") == written.watermark("ml", "trial/readings")
    with written.ml.reader() as source, copy.ml.reader() as other:
        assert other.execute(EVERYTHING).fetchall() == source.execute(EVERYTHING).fetchall()


def test_a_copy_can_be_put_in_the_store_s_place_and_worked_with(written: Stores, tmp_path: Path) -> None:
    written.ml.copy_to(tmp_path / "ml.duckdb")
    (tmp_path / "ml.duckdb").replace(written.ml.path)
    written.prepare(TABLES)
    assert not written.write("ml", author(), [upsert(READINGS, written.read(READINGS))], DAYS[-1])[0].changed


def test_a_copy_takes_the_place_of_an_older_one_and_leaves_nothing_beside_it(written: Stores, tmp_path: Path) -> None:
    target = tmp_path / "backups" / "ml.duckdb"
    written.ml.copy_to(target)
    written.write("ml", author(), [upsert(READINGS, readings({("new", DAYS[0]): (1.0, None)}))], DAYS[-1])
    (target.parent / "ml.duckdb.unfinished").write_bytes(b"left by a process that was killed")
    written.ml.copy_to(target)
    assert at(target, written).count(READINGS) == 301
    assert [path.name for path in target.parent.iterdir()] == ["ml.duckdb"]


def test_a_copy_that_fails_leaves_the_older_one_and_nothing_beside_it(
    written: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "backups" / "ml.duckdb"
    written.ml.copy_to(target)
    before = target.read_bytes()

    def fail(_self: Path, _target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        written.ml.copy_to(target)
    assert [path.name for path in target.parent.iterdir()] == ["ml.duckdb"]
    assert target.read_bytes() == before


def test_a_store_is_copied_while_another_process_reads_it(written: Stores, tmp_path: Path) -> None:
    with other_process("read", written.home) as reader:
        assert heard(reader) == HELD
        written.ml.copy_to(tmp_path / "ml.duckdb")
    assert at(tmp_path / "ml.duckdb", written).count(VERSIONS) == 0


def test_a_store_that_is_being_written_is_waited_for_and_then_given_up(written: Stores, tmp_path: Path) -> None:
    with other_process("hold", written.home) as holder:
        assert heard(holder) == HELD
        with pytest.raises(StoreBusyError, match=f"held by process {holder.pid}"):
            Database(written.ml.path, "ml", wait_seconds=0.1).copy_to(tmp_path / "ml.duckdb")
    assert not (tmp_path / "ml.duckdb").exists()
