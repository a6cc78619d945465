import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

import polars as pl

from stock_pipeline.core.columns import SYMBOL
from stock_pipeline.storage import Author, Stores, open_stores, upsert
from stock_pipeline.storage.audit import Execution, Progress, Seen
from stock_pipeline_tests.factories.trial_tables import DAYS, NAMES, NOTE, READINGS, audit_rows, author, readings

BEGAN = datetime(2012, 1, 10, 22, 0)


def task(asset: str, minute: int, state: Literal["succeeded", "up_to_date", "failed"] = "succeeded", error: str | None = None) -> Execution:
    started = BEGAN + timedelta(minutes=minute)
    return Execution(asset, f"run-{minute}", started, started + timedelta(seconds=9), state, minute, error)


def look(stores: Stores, minute: int, state: Literal["succeeded", "up_to_date", "failed"] = "succeeded", error: str | None = None) -> None:
    """An execution of an asset that sees what is there."""
    stores.record_executions("ml", replace(task("trial/later", minute, state, error), seen=stores.seen()))


def bring(stores: Stores, day: date, minute: int, value: float = 1.0) -> None:
    by = Author.of_asset("trial/readings", "1", f"run-{minute}", BEGAN + timedelta(minutes=minute))
    stores.write("ml", by, [upsert(READINGS, readings({("A", day): (value, None)}))], day)


def test_opening_makes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "data"
    stores = open_stores(home)
    assert not stores.exist
    assert not home.exists()


def test_both_stores_are_made_and_found_by_name(tmp_path: Path) -> None:
    stores = open_stores(tmp_path / "data", wait_seconds=3)
    stores.prepare(())
    assert stores.exist
    assert stores.database("market") is stores.market
    assert stores.database("ml") is stores.ml
    assert (stores.market.path.name, stores.ml.path.name) == ("market.duckdb", "ml.duckdb")
    assert stores.market.wait_seconds == stores.ml.wait_seconds == 3
    stores.market.path.unlink()
    assert not stores.exist


def test_count_and_hash_tell_of_the_whole_table(stores: Stores) -> None:
    empty = stores.content_hash(READINGS)
    bring(stores, DAYS[0], 0)
    assert stores.count(READINGS) == 1
    assert stores.content_hash(READINGS) != empty


def test_the_latest_execution_of_every_asset_is_told_of_both_stores(stores: Stores) -> None:
    runs = [task("a/one", 1), task("a/one", 3, "failed", "it broke"), task("a/one", 2), task("a/two", 1, "up_to_date")]
    for run in runs:
        stores.record_executions("ml", run)
    stores.record_executions("market", task("market_data/bars", 5))
    assert stores.last_executions() == {"a/one": runs[1], "a/two": runs[3], "market_data/bars": task("market_data/bars", 5)}


def test_a_store_of_a_version_that_kept_no_executions_can_be_read(stores: Stores) -> None:
    bring(stores, DAYS[0], 1)
    with stores.ml.writer() as connection:
        connection.execute("DROP TABLE audit.executions")
    assert (stores.last_executions(), stores.cut_short()) == ({}, set())


def test_of_an_asset_that_never_ran_to_its_end_everything_may_have_changed(stores: Stores) -> None:
    assert stores.changed_from([READINGS], "ml", "trial/later") == date.min
    look(stores, 5, "failed", "it broke")
    assert stores.changed_from([READINGS], "ml", "trial/later") == date.min
    look(stores, 6)
    assert stores.changed_from([READINGS], "ml", "trial/later") is None


def test_a_change_upstream_is_told_from_its_earliest_session_since_the_asset_last_began(stores: Stores) -> None:
    for minute, day in enumerate(DAYS[:4]):
        bring(stores, day, minute)
    look(stores, 5)
    assert stores.changed_from([READINGS], "ml", "trial/later") is None
    bring(stores, DAYS[2], 6, value=2.0)
    bring(stores, DAYS[1], 7, value=2.0)
    bring(stores, DAYS[3], 8, value=1.0)  # says nothing new
    assert stores.changed_from([READINGS], "ml", "trial/later") == DAYS[1]
    assert stores.changed_from([NAMES], "ml", "trial/later") is None


def test_a_change_while_the_asset_was_at_work_or_before_it_failed_is_not_forgotten(stores: Stores) -> None:
    look(stores, 5)
    bring(stores, DAYS[2], 6)
    look(stores, 7, "failed", "it broke")
    assert stores.changed_from([READINGS], "ml", "trial/later") == DAYS[2]
    look(stores, 8, "up_to_date")
    assert stores.changed_from([READINGS], "ml", "trial/later") is None


def test_what_was_written_while_the_asset_was_at_work_is_news_whatever_the_clock_says(stores: Stores) -> None:
    seen = stores.seen()
    bring(stores, DAYS[2], 1)
    stores.record_executions("ml", replace(task("trial/later", 5), seen=seen))
    assert stores.changed_from([READINGS], "ml", "trial/later") == DAYS[2]


def test_an_execution_recorded_by_a_clock_that_ran_ahead_hides_nothing(stores: Stores) -> None:
    look(stores, 60 * 24 * 365)
    bring(stores, DAYS[2], 1)
    assert stores.changed_from([READINGS], "ml", "trial/later") == DAYS[2]
    look(stores, 2)
    assert stores.changed_from([READINGS], "ml", "trial/later") is None
    bring(stores, DAYS[1], 3)
    assert stores.changed_from([READINGS], "ml", "trial/later") == DAYS[1]


def test_in_a_store_restored_from_before_an_asset_looked_everything_may_have_changed(stores: Stores, tmp_path: Path) -> None:
    bring(stores, DAYS[0], 1)
    backup = tmp_path / "market.duckdb"
    stores.market.copy_to(backup)
    by = Author.of_asset("trial/elsewhere", "1", "run", BEGAN)
    elsewhere = replace(READINGS, store="market")
    stores.write("market", by, [upsert(elsewhere, readings({("A", DAYS[0]): (1.0, None)}))], DAYS[0])
    look(stores, 2)
    assert stores.changed_from([elsewhere], "ml", "trial/later") is None
    stores.market.path.write_bytes(backup.read_bytes())
    assert stores.changed_from([elsewhere], "ml", "trial/later") == date.min
    look(stores, 3)  # it has looked at what is there now, which has a lower number
    stores.write("market", by, [upsert(elsewhere, readings({("A", DAYS[3]): (1.0, None)}))], DAYS[3])
    assert stores.changed_from([elsewhere], "ml", "trial/later") == DAYS[3]


def test_a_restored_store_whose_new_writes_have_overtaken_what_an_asset_saw_is_known_by_their_run(stores: Stores, tmp_path: Path) -> None:
    bring(stores, DAYS[1], 0)
    backup = tmp_path / "backup.duckdb"
    stores.ml.copy_to(backup)
    for minute, expected in ((1, None), (3, date.min)):  # the write that was lost, and others in its place
        shutil.copyfile(backup, stores.ml.path)
        bring(stores, DAYS[2], minute)
        stores.record_executions("ml", replace(task("trial/later", 2), seen=Seen(0, 2, None, "run-1")))
        assert stores.changed_from([READINGS], "ml", "trial/later") == expected
        bring(stores, DAYS[3], 4)
        assert stores.changed_from([READINGS], "ml", "trial/later") == (DAYS[3] if expected is None else date.min)


def test_changes_are_looked_for_in_the_store_in_which_each_table_lies(stores: Stores) -> None:
    look(stores, 5)
    elsewhere, undated = (replace(table, store="market") for table in (READINGS, NAMES))
    by = Author.of_asset("trial/elsewhere", "1", "run", BEGAN + timedelta(minutes=9))
    stores.write("market", by, [upsert(undated, pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]}))], DAYS[0])
    assert stores.changed_from([undated], "ml", "trial/later") == date.min  # it may concern any session
    stores.write("market", by, [upsert(elsewhere, readings({("A", DAYS[2]): (1.0, None)}))], DAYS[2])
    bring(stores, DAYS[3], 10)
    assert stores.changed_from([elsewhere], "ml", "trial/later") == DAYS[2]
    assert stores.changed_from([READINGS], "ml", "trial/later") == DAYS[3]
    assert stores.changed_from([READINGS, elsewhere], "ml", "trial/later") == DAYS[2]
    assert stores.changed_from([READINGS, undated, elsewhere], "ml", "trial/later") == date.min
    assert stores.last_write(READINGS, "trial/readings") == BEGAN + timedelta(minutes=10)
    assert stores.last_write(elsewhere, "trial/elsewhere") == by.written_at
    assert stores.last_write(elsewhere, "trial/readings") is None


def test_moments_are_kept_to_the_microsecond(stores: Stores) -> None:
    moment = datetime(2012, 1, 10, 22, 45, 1, 123456)
    stores.write("ml", replace(author(), written_at=moment), [upsert(READINGS, readings({("A", DAYS[0]): (1.0, None)}))], DAYS[0])
    assert audit_rows(stores)[0][5] == moment


def test_a_store_is_read_while_it_is_kept_open_and_written_to_afterwards(stores: Stores) -> None:
    bring(stores, DAYS[0], 1)
    with stores.shared_reader("ml"):
        assert stores.count(READINGS) == stores.read(READINGS).height == 1
    bring(stores, DAYS[1], 2, 2.0)
    assert stores.read(READINGS)["value"].to_list() == [1.0, 2.0]


def test_the_progress_of_an_asset_is_its_watermark_and_the_rows_and_versions_of_its_tables(stores: Stores) -> None:
    name = READINGS.qualified_name
    assert stores.progress_of("ml", "trial/readings", [READINGS]) == Progress(None, {name: 0}, {name: 0}, 0)
    bring(stores, DAYS[0], 1)
    progress = stores.progress_of("ml", "trial/readings", [READINGS])
    assert progress.watermark is not None and progress.watermark == stores.watermark("ml", "trial/readings")
    assert (progress.counts, progress.versions, progress.last_write) == ({name: 1}, {name: 1}, 1)
    assert stores.progress_of("ml", "another/asset", [READINGS]).last_write == 0
