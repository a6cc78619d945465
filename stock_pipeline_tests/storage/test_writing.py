import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import SESSION, SYMBOL, VALUE
from stock_pipeline.core.content_hash import content_hash
from stock_pipeline.core.errors import RefusedWriteError, SchemaError, StockPipelineError
from stock_pipeline.storage import Author, Stores, Write, replace_all, replace_sessions, upsert
from stock_pipeline.storage.audit import Execution, Watermark
from stock_pipeline_tests.factories.trial_tables import (
    CATALOGUED,
    DAYS,
    MORE_CATALOGUED,
    NAMES,
    NOTE,
    READINGS,
    Readings,
    audit_rows,
    author,
    copied,
    readings,
    stored,
)
from stock_pipeline_tests.harness.laws import law
from stock_pipeline_tests.harness.trial_writes import ASSET, PAYLOADS, nightly, state, write

MOMENT = datetime(2012, 1, 10, 23)
OTHERS = (Author.of_person("hand", "run-2", MOMENT), Author.of_job("trial/job", "run-2", MOMENT))


def test_a_table_that_another_has_changed_meanwhile_is_left_as_it_is(stores: Stores) -> None:
    write(stores, nightly(3))
    seen = stores.read_versioned(READINGS)
    write(stores, nightly(3, value=2.0))
    write(stores, nightly(3))  # as it was, and yet not the same version
    before = state(stores)
    with pytest.raises(RefusedWriteError, match=r"trial\.readings was changed by another process in the meantime; try again"):
        write(stores, nightly(3, value=9.0), DAYS[2], mode=upsert, expected_version=seen.version)
    assert state(stores) == before
    now = stores.read_versioned(READINGS)
    assert now.frame.equals(seen.frame)
    assert write(stores, nightly(3, value=9.0), DAYS[2], mode=upsert, expected_version=now.version).changed


def test_a_table_that_nobody_has_written_to_has_version_nought(stores: Stores) -> None:
    assert stores.read_versioned(READINGS).version == 0
    assert write(stores, nightly(3), mode=upsert, expected_version=0).changed
    with pytest.raises(RefusedWriteError, match="was changed by another"):
        write(stores, nightly(4), mode=upsert, expected_version=0)


def test_a_write_that_changes_something_gets_the_next_number_of_its_store(stores: Stores) -> None:
    names = upsert(NAMES, pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]}))
    seen = []
    for rows in (nightly(1), nightly(1), nightly(1, value=2.0)):  # the second changes nothing
        stores.write("ml", author(), [upsert(READINGS, readings(rows)), names], DAYS[0])
        seen.append((stores.read_versioned(READINGS).version, stores.read_versioned(NAMES).version))
    assert seen == [(1, 2), (1, 2), (3, 2)]
    assert [row[0] for row in audit_rows(stores)] == [1, 2, 3]


def test_a_table_knows_how_many_rows_it_has_ever_gained(stores: Stores) -> None:
    ever = []
    for names in (["A", "B"], ["A", "B"], ["B", "C"], ["C"], []):
        rows = pl.DataFrame({SYMBOL: names, NOTE: ["a name"] * len(names)}, schema={SYMBOL: pl.String, NOTE: pl.String})
        stores.write("ml", author(), [replace_all(NAMES, rows, may_be_empty=True)], DAYS[0])
        ever.append(stores.rows_ever(NAMES))
    # Of a row that comes as another goes it cannot be told that it is not that one, changed.
    assert ever == [2, 2, 2, 2, 2]
    stores.write("ml", author(), [upsert(NAMES, pl.DataFrame({SYMBOL: ["D"], NOTE: ["a name"]}))], DAYS[0])
    assert (stores.rows_ever(NAMES), stores.rows_ever(READINGS)) == (3, 0)


def test_a_write_that_fails_uses_up_no_number(stores: Stores) -> None:
    write(stores, nightly(10))
    names = upsert(NAMES, pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]}))
    with pytest.raises(RefusedWriteError):
        stores.write("ml", author(), [names, replace_sessions(READINGS, readings(nightly(1)))], DAYS[0])
    assert stores.read_versioned(NAMES).version == 0
    stores.write("ml", author(), [names], DAYS[0])
    assert stores.read_versioned(NAMES).version == 2


@law(4)
@given(payload=PAYLOADS, random=st.randoms(use_true_random=False))
def test_the_order_of_a_payload_does_not_matter(payload: Readings, random: Any, template: Stores) -> None:
    shuffled = list(payload.items())
    random.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as folder:
        one, other = copied(template, Path(folder, "one")), copied(template, Path(folder, "other"))
        reports = write(one, payload), write(other, dict(shuffled))
        assert reports[0] == reports[1]
        assert state(one) == state(other)
        with one.ml.reader() as connection, other.ml.reader() as other_connection:
            unordered = 'SELECT * FROM "trial"."readings"'
            assert connection.execute(unordered).fetchall() == other_connection.execute(unordered).fetchall()


def test_the_audit_row_tells_who_wrote_what(stores: Stores) -> None:
    rows = {("A", DAYS[1]): (1.0, None), ("B", DAYS[2]): (None, "x")}
    report = write(stores, rows, DAYS[2], minute=7, mode=upsert, quarantined=3)
    digest = content_hash(READINGS.validate(readings(rows)), READINGS.key)
    written_at = author(minute=7).written_at
    assert audit_rows(stores) == [(1, "run-1", "asset", ASSET, "trial.readings", written_at, 2, 2, 0, 3, DAYS[1], digest)]
    assert report.content_hash == digest == stores.content_hash(READINGS)


@pytest.mark.parametrize("by", OTHERS, ids=lambda by: by.kind)
def test_whoever_is_no_asset_leaves_its_name_and_moves_no_watermark(by: Author, stores: Stores) -> None:
    rows = readings(nightly(1))
    assert stores.write("ml", by, [upsert(READINGS, rows)], watermark=None)[0].changed
    assert audit_rows(stores)[0][1:4] == ("run-2", by.kind, by.name)
    assert (stores.watermark("ml", by.name), stores.last_write(READINGS, by.name)) == (None, None)
    with pytest.raises(
        StockPipelineError, match=f"the {by.kind} {by.name} writes with watermark 2012-01-03; an asset has one, others none"
    ):
        stores.write("ml", by, [upsert(READINGS, rows)], DAYS[0])
    with pytest.raises(StockPipelineError, match="the asset trial/readings writes with watermark None"):
        stores.write("ml", author(), [upsert(READINGS, rows)], watermark=None)


def test_the_first_session_is_the_earliest_changed_not_the_earliest_given(stores: Stores) -> None:
    first = {("A", DAYS[0]): (1.0, None), ("A", DAYS[1]): (1.0, None)}
    write(stores, first)
    assert write(stores, {**first, ("A", DAYS[1]): (2.0, None), ("A", DAYS[2]): (1.0, None)}).first_session == DAYS[1]


def test_a_write_that_only_deletes_rows_has_its_audit_row_and_is_news_from_the_first_of_them(stores: Stores) -> None:
    rows = {(symbol, day): (1.0, None) for symbol in "AB" for day in DAYS[:4]}
    left = {key: row for key, row in rows.items() if key not in (("A", DAYS[1]), ("B", DAYS[2]))}
    write(stores, rows)
    seen = stores.read_versioned(READINGS).version
    stores.record_executions("ml", Execution("trial/later", "run-2", MOMENT, MOMENT, "succeeded", 0, seen=stores.seen()))
    report = write(stores, left, DAYS[3], minute=1, least_share=0.5)
    assert (report.inserted, report.deleted, report.first_session, report.changed) == (0, 2, DAYS[1], True)
    assert audit_rows(stores)[-1][0] == stores.read_versioned(READINGS).version == seen + 1
    assert audit_rows(stores)[-1][6:11] == (6, 0, 2, 0, DAYS[1])
    assert stores.changed_from([READINGS], "ml", "trial/later") == DAYS[1]
    assert state(stores).rows == left


def test_rows_deleted_before_the_first_that_is_inserted_are_news_as_well(stores: Stores) -> None:
    kept = {("A", DAYS[0]): (1.0, None), ("A", DAYS[2]): (1.0, None), ("B", DAYS[2]): (1.0, None)}
    write(stores, {**kept, ("B", DAYS[0]): (1.0, None)})
    report = write(stores, {**kept, ("A", DAYS[3]): (1.0, None)}, DAYS[3], least_share=0.5)
    assert (report.inserted, report.deleted, report.first_session) == (1, 1, DAYS[0])


def test_a_table_that_no_session_dates_has_no_first_session(stores: Stores) -> None:
    frame = pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]})
    report = stores.write("ml", author(), [upsert(NAMES, frame)], DAYS[0])[0]
    assert (report.inserted, report.first_session) == (1, None)


def test_an_empty_payload_is_refused_and_nothing_changes(stores: Stores) -> None:
    write(stores, nightly(3))
    before = state(stores)
    with pytest.raises(RefusedWriteError, match=r"trial\.readings: the payload of trial/readings has no rows, so nothing was written"):
        write(stores, {}, DAYS[3])
    assert state(stores) == before


def test_an_empty_payload_that_is_a_true_answer_moves_only_the_watermark(stores: Stores) -> None:
    write(stores, nightly(3))
    before = state(stores)
    assert not write(stores, {}, DAYS[3], may_be_empty=True).changed
    assert state(stores) == replace(before, watermark=Watermark(DAYS[3], "1", "{}"))


@pytest.mark.parametrize(
    "frame",
    [
        readings({("A", DAYS[1]): (1.0, None)}).vstack(readings({("A", DAYS[1]): (2.0, None)})),
        readings({("A", DAYS[1]): (float("nan"), None)}),
        readings({("A", DAYS[1]): (1.0, None)}).drop(NOTE),
        readings({("A", DAYS[1]): (1.0, None)}).with_columns(pl.lit(None, pl.Date).alias(SESSION)),
        readings({("A", DAYS[1]): (1.0, None)}).with_columns(pl.lit("1").alias(VALUE)),
    ],
    ids=["repeated key", "not a number", "missing column", "null", "text for a number"],
)
def test_a_frame_that_does_not_fit_leaves_the_store_as_it_was(stores: Stores, frame: pl.DataFrame) -> None:
    write(stores, nightly(3))
    before = state(stores)
    with pytest.raises(SchemaError):
        stores.write("ml", author(), [upsert(READINGS, frame)], DAYS[3])
    assert state(stores) == before


def test_all_tables_of_an_asset_are_written_or_none(stores: Stores) -> None:
    write(stores, nightly(10))
    names = upsert(NAMES, pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]}))
    before = state(stores)
    with pytest.raises(RefusedWriteError):
        stores.write("ml", author(), [names, replace_sessions(READINGS, readings(nightly(1)))], DAYS[3])
    assert stores.count(NAMES) == 0
    assert state(stores) == before
    reports = stores.write("ml", author(minute=1), [names, upsert(READINGS, readings(nightly(1, DAYS[1])))], DAYS[3])
    assert [report.table for report in reports] == ["trial.names", "trial.readings"]
    assert [row[4] for row in audit_rows(stores)[-2:]] == ["trial.names", "trial.readings"]


@pytest.fixture
def failing(stores: Stores) -> Write:
    """A write that DuckDB itself refuses once it comes to the rows."""
    with stores.ml.writer() as connection:
        connection.execute("CREATE TABLE trial.strict (symbol VARCHAR NOT NULL, note VARCHAR CHECK (note <> 'a name'))")
    return upsert(replace(NAMES, name="strict"), pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]}))


def test_a_failure_inside_the_database_undoes_the_tables_before_it(stores: Stores, failing: Write) -> None:
    new = replace(NAMES, name="new")
    with pytest.raises(Exception, match="CHECK constraint failed"):
        stores.write("ml", author(), [replace(failing, schema=table) for table in (NAMES, new)] + [failing], DAYS[0])
    assert stores.count(NAMES) == 0
    with stores.ml.reader() as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'new'").fetchall() == [(0,)]
    assert stores.watermark("ml", ASSET) is None
    assert audit_rows(stores) == []


def test_an_asset_cannot_write_to_a_store_that_its_transaction_does_not_reach(stores: Stores) -> None:
    elsewhere = replace(NAMES, store="market")
    with pytest.raises(StockPipelineError, match=r"trial/readings writes to the ml store, but trial\.names lies in the other"):
        stores.write("ml", author(), [upsert(elsewhere, pl.DataFrame({SYMBOL: ["A"], NOTE: [""]}))], DAYS[0])


def test_the_watermark_never_moves_back_and_remembers_the_code_and_the_settings_that_came_last(stores: Stores) -> None:
    frame = readings(nightly(1))
    steps = [(2, "1", "{}", 2), (1, "1", "{}", 2), (1, "2", "{}", 2), (1, "2", '{"a": 1}', 2), (3, "2", "{}", 3)]
    for brought, code, settings, reached in steps:
        stores.write("ml", replace(author(code_version=code), settings=settings), [upsert(READINGS, frame)], DAYS[brought])
        assert stores.watermark("ml", ASSET) == Watermark(DAYS[reached], code, settings)
    assert stores.watermark("ml", "trial/other") is None


def test_a_new_column_is_added_by_the_write_that_brings_it(stores: Stores) -> None:
    old = pl.DataFrame({SYMBOL: ["A"], SESSION: [DAYS[0]], "first": [1.0]})
    stores.write("ml", author(), [replace_sessions(CATALOGUED, old)], DAYS[0])
    new = pl.DataFrame({SYMBOL: ["A"], SESSION: [DAYS[1]], "first": [2.0], "second": [3.0]})
    stores.write("ml", author(), [replace_sessions(MORE_CATALOGUED, new)], DAYS[1])
    assert stored(stores, MORE_CATALOGUED).rows() == [("A", DAYS[0], 1.0, None), ("A", DAYS[1], 2.0, 3.0)]
    # A column that has left the schema stays in the file, and null in what is written without it.
    stores.write("ml", author(), [replace_sessions(CATALOGUED, new.drop("second"))], DAYS[1])
    assert stored(stores, CATALOGUED).rows() == [("A", DAYS[0], 1.0), ("A", DAYS[1], 2.0)]


def test_a_column_is_not_added_by_a_write_that_fails(stores: Stores, failing: Write) -> None:
    frame = pl.DataFrame({SYMBOL: ["A"], SESSION: [DAYS[0]], "first": [1.0], "second": [1.0]})
    with pytest.raises(Exception, match="CHECK constraint failed"):
        stores.write("ml", author(), [upsert(MORE_CATALOGUED, frame), failing], DAYS[0])
    with stores.ml.reader() as connection:
        columns = connection.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = 'catalogued'").fetchall()
    assert columns == [(SYMBOL,), (SESSION,), ("first",)]


def test_a_table_of_its_key_alone_can_be_written_twice(stores: Stores) -> None:
    listed = replace(NAMES, name="listed", columns=NAMES.columns[:1])
    frame = pl.DataFrame({SYMBOL: ["A", "B"]})
    assert stores.write("ml", author(), [upsert(listed, frame)], DAYS[0])[0].inserted == 2
    assert not stores.write("ml", author(), [upsert(listed, frame)], DAYS[0])[0].changed


def test_a_failure_in_a_later_part_of_a_payload_undoes_the_parts_before_it(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    write(stores, {("A", DAYS[1]): (1.0, None), ("B", DAYS[1]): (1.0, None)})
    before = state(stores)
    monkeypatch.setattr("stock_pipeline.storage.writing.MOST_ROWS_AT_ONCE", 1)
    shrunken = {("A", DAYS[0]): (2.0, None), ("A", DAYS[1]): (2.0, None)}
    with pytest.raises(RefusedWriteError, match="1 rows of 2012-01-04 where 2 are stored"):
        write(stores, shrunken)
    assert state(stores) == before
