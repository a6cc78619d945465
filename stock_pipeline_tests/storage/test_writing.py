import tempfile
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SESSION, SYMBOL, VALUE
from stock_pipeline.core.content_hash import content_hash
from stock_pipeline.core.errors import RefusedWriteError, SchemaError, StockPipelineError
from stock_pipeline.storage import Author, Stores, Write
from stock_pipeline.storage.audit import Watermark, read_watermark
from stock_pipeline.storage.ddl import create_statement
from stock_pipeline.storage.reading import Selection, read
from stock_pipeline_tests.factories.trial_tables import (
    CATALOGUED,
    DAYS,
    MORE_CATALOGUED,
    NAMES,
    NOTE,
    READINGS,
    VERSIONS,
    Readings,
    as_rows,
    audit_rows,
    author,
    copied,
    readings,
    stored,
)
from stock_pipeline_tests.harness.laws import law

ASSET = "trial/readings"
MOMENT = datetime(2012, 1, 10, 23)
PAYLOADS = st.dictionaries(
    st.tuples(st.sampled_from(["A", "B", "a'; --"]), st.sampled_from(DAYS[:3])),
    st.tuples(st.none() | st.floats(allow_nan=False, allow_infinity=False), st.none() | st.text(max_size=5)),
    min_size=1,
)
WRITES = st.lists(st.tuples(PAYLOADS, st.sampled_from([None, (SESSION,), (SYMBOL,), ()]), st.sampled_from(DAYS)), min_size=1, max_size=3)


def write(stores: Stores, rows: Readings, watermark: date = DAYS[0], minute: int = 0, **how: Any) -> Any:
    how.setdefault("scope", (SESSION,))
    return stores.write("ml", author(minute=minute), [Write(READINGS, readings(rows), **how)], watermark)[0]


def nightly(count: int, day: date = DAYS[0], value: float = 1.0) -> Readings:
    return {(f"S{i}", day): (value, None) for i in range(count)}


@dataclass(frozen=True)
class State:
    """All that a write of READINGS may change, read over one connection because opening one takes a while."""

    rows: Readings
    audit: list[tuple[object, ...]]
    watermark: Watermark | None


def state(stores: Stores) -> State:
    with stores.ml.reader() as connection:
        rows = as_rows(read(connection, READINGS, Selection()))
        audit = connection.execute("SELECT * FROM audit.writes ORDER BY sequence").fetchall()
        return State(rows, audit, read_watermark(connection, ASSET))


def test_a_table_that_another_has_changed_meanwhile_is_left_as_it_is(stores: Stores) -> None:
    write(stores, nightly(3))
    seen = stores.read_versioned(READINGS)
    write(stores, nightly(3, value=2.0))
    write(stores, nightly(3))  # as it was, and yet not the same version
    before = state(stores)
    with pytest.raises(RefusedWriteError, match=r"trial\.readings was changed by another while this was being worked out; try again"):
        write(stores, nightly(3, value=9.0), DAYS[2], expected_version=seen.version)
    assert state(stores) == before
    now = stores.read_versioned(READINGS)
    assert now.frame.equals(seen.frame)
    assert write(stores, nightly(3, value=9.0), DAYS[2], expected_version=now.version).changed


def test_a_table_that_nobody_has_written_to_has_version_nought(stores: Stores) -> None:
    assert (stores.version(READINGS), stores.read_versioned(READINGS).version) == (0, 0)
    assert write(stores, nightly(3), expected_version=0).changed
    with pytest.raises(RefusedWriteError, match="was changed by another"):
        write(stores, nightly(4), expected_version=0)


def test_a_write_that_changes_something_gets_the_next_number_of_its_store(stores: Stores) -> None:
    names = Write(NAMES, pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]}))
    seen = []
    for rows in (nightly(1), nightly(1), nightly(1, value=2.0)):  # the second changes nothing
        stores.write("ml", author(), [Write(READINGS, readings(rows)), names], DAYS[0])
        seen.append((stores.version(READINGS), stores.version(NAMES)))
    assert seen == [(1, 2), (1, 2), (3, 2)]
    assert [row[0] for row in audit_rows(stores)] == [1, 2, 3]


def test_a_write_that_fails_uses_up_no_number(stores: Stores) -> None:
    write(stores, nightly(10))
    names = Write(NAMES, pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]}))
    with pytest.raises(RefusedWriteError):
        stores.write("ml", author(), [names, Write(READINGS, readings(nightly(1)), scope=(SESSION,))], DAYS[0])
    assert stores.version(NAMES) == 0
    stores.write("ml", author(), [names], DAYS[0])
    assert stores.version(NAMES) == 2


def test_an_empty_payload_of_the_whole_table_empties_it(stores: Stores) -> None:
    write(stores, nightly(3))
    assert write(stores, {}, scope=(), may_be_empty=True).deleted == 3
    assert state(stores).rows == {}


def expected_after(held: Readings, payload: Readings, scope: tuple[str, ...] | None) -> Readings:
    """What the table holds after a write, told without SQL."""

    def place(key: tuple[str, date]) -> tuple[Any, ...]:
        return tuple(dict(zip((SYMBOL, SESSION), key, strict=True))[name] for name in ((SYMBOL, SESSION) if scope is None else scope))

    replaced = {place(key) for key in payload}
    return {key: row for key, row in held.items() if place(key) not in replaced} | dict(payload)


@law(12)
@given(writes=WRITES, rows_at_once=st.sampled_from([1, 3, 250_000]))
def test_writes_replace_their_scope_and_nothing_else_and_a_second_time_nothing_at_all(
    writes: Any, rows_at_once: int, template: Stores
) -> None:
    with tempfile.TemporaryDirectory() as folder, patch("stock_pipeline.storage.writing.MOST_ROWS_AT_ONCE", rows_at_once):
        stores = copied(template, Path(folder))
        held: Readings = {}
        reached: date | None = None
        audited = 0
        for minute, (payload, scope, watermark) in enumerate(writes):
            after = expected_after(held, payload, scope)
            inserted = {key for key, row in payload.items() if key not in held or held[key] != row}
            deleted = {key for key, row in held.items() if after.get(key) != row}
            report = write(stores, payload, watermark, minute, scope=scope, minimum_share=0.0)
            held, reached = after, watermark if reached is None else max(reached, watermark)
            audited += report.changed
            left = state(stores)

            assert left.rows == held
            assert (report.rows_in, report.inserted, report.deleted) == (len(payload), len(inserted), len(deleted))
            assert report.changed == bool(inserted or deleted)
            assert report.first_session == min((day for _, day in inserted), default=None)
            assert left.watermark == Watermark(reached, "1")
            assert len(left.audit) == audited

            again = write(stores, payload, watermark, minute + 30, scope=scope)
            assert (again.inserted, again.deleted, again.changed, again.first_session) == (0, 0, False, None)
            assert state(stores) == left


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


def test_rows_that_vanished_from_a_night_go_and_other_nights_stay(stores: Stores) -> None:
    write(stores, {("A", DAYS[0]): (1.0, None), ("B", DAYS[0]): (1.0, None), ("A", DAYS[1]): (1.0, None)})
    report = write(stores, {("A", DAYS[0]): (1.0, None)}, minimum_share=0.5)
    assert set(as_rows(stored(stores))) == {("A", DAYS[0]), ("A", DAYS[1])}
    assert (report.inserted, report.deleted) == (0, 1)


def test_with_the_key_as_scope_rows_are_replaced_one_by_one(stores: Stores) -> None:
    write(stores, nightly(10))
    report = write(stores, {("S3", DAYS[0]): (2.0, "new")}, scope=None)
    assert (report.inserted, report.deleted) == (1, 1)
    assert as_rows(stored(stores)) == {**nightly(10), ("S3", DAYS[0]): (2.0, "new")}


def test_the_audit_row_tells_who_wrote_what(stores: Stores) -> None:
    rows = {("A", DAYS[1]): (1.0, None), ("B", DAYS[2]): (None, "x")}
    report = write(stores, rows, DAYS[2], minute=7, quarantined=3)
    digest = content_hash(READINGS.conform(readings(rows)), READINGS.key)
    written_at = author(minute=7).written_at
    assert audit_rows(stores) == [(1, "run-1", "asset", ASSET, "trial.readings", written_at, 2, 2, 0, 3, DAYS[1], digest)]
    assert report.content_hash == digest == stores.content_hash(READINGS)


OTHERS = (Author.of_person("hand", "run-2", MOMENT), Author.of_job("trial/job", "run-2", MOMENT))


@pytest.mark.parametrize("by", OTHERS, ids=lambda by: by.kind)
def test_whoever_is_no_asset_leaves_its_name_and_moves_no_watermark(by: Author, stores: Stores) -> None:
    rows = readings(nightly(1))
    assert stores.write("ml", by, [Write(READINGS, rows)], watermark=None)[0].changed
    assert audit_rows(stores)[0][1:4] == ("run-2", by.kind, by.name)
    assert (stores.watermark("ml", by.name), stores.last_write(READINGS, by.name)) == (None, None)
    with pytest.raises(
        StockPipelineError, match=f"the {by.kind} {by.name} writes with watermark 2012-01-03; an asset has one, others none"
    ):
        stores.write("ml", by, [Write(READINGS, rows)], DAYS[0])
    with pytest.raises(StockPipelineError, match="the asset trial/readings writes with watermark None"):
        stores.write("ml", author(), [Write(READINGS, rows)], watermark=None)


def test_the_first_session_is_the_earliest_inserted_not_the_earliest_given(stores: Stores) -> None:
    first = {("A", DAYS[0]): (1.0, None), ("A", DAYS[1]): (1.0, None)}
    write(stores, first)
    assert write(stores, {**first, ("A", DAYS[1]): (2.0, None), ("A", DAYS[2]): (1.0, None)}).first_session == DAYS[1]


def test_a_table_that_no_session_dates_has_no_first_session(stores: Stores) -> None:
    frame = pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]})
    report = stores.write("ml", author(), [Write(NAMES, frame)], DAYS[0])[0]
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
    assert state(stores) == replace(before, watermark=Watermark(DAYS[3], "1"))


@pytest.mark.parametrize(("count", "refused"), [(9, False), (8, True), (1, True)])
def test_a_shrunken_payload_is_refused_and_nothing_changes(stores: Stores, count: int, refused: bool) -> None:
    write(stores, nightly(10))
    before = state(stores)
    if not refused:
        assert write(stores, nightly(count)).deleted == 10 - count
        return
    wanted = rf"trial\.readings: the payload has {count} rows of 2012-01-03 where 10 are stored, less than the 90%"
    with pytest.raises(RefusedWriteError, match=wanted):
        write(stores, nightly(count), DAYS[3])
    assert state(stores) == before


def test_new_nights_do_not_make_up_for_one_that_has_shrunk(stores: Stores) -> None:
    write(stores, nightly(10))
    with pytest.raises(RefusedWriteError, match="has 1 rows of 2012-01-03 where 10 are stored"):
        write(stores, {**nightly(1), **nightly(10, DAYS[1]), **nightly(10, DAYS[2])})
    assert stores.count(READINGS) == 10


def test_the_share_that_is_taken_for_sound_is_the_write_s_own(stores: Stores) -> None:
    write(stores, nightly(10))
    with pytest.raises(RefusedWriteError, match="less than the 50%"):
        write(stores, nightly(4), minimum_share=0.5)
    assert write(stores, nightly(5), minimum_share=0.5).deleted == 5
    assert write(stores, nightly(1), minimum_share=0.0).deleted == 4


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
        stores.write("ml", author(), [Write(READINGS, frame)], DAYS[3])
    assert state(stores) == before


def test_all_tables_of_an_asset_are_written_or_none(stores: Stores) -> None:
    write(stores, nightly(10))
    names = Write(NAMES, pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]}))
    before = state(stores)
    with pytest.raises(RefusedWriteError):
        stores.write("ml", author(), [names, Write(READINGS, readings(nightly(1)), scope=(SESSION,))], DAYS[3])
    assert stores.count(NAMES) == 0
    assert state(stores) == before
    reports = stores.write("ml", author(minute=1), [names, Write(READINGS, readings(nightly(1, DAYS[1])))], DAYS[3])
    assert [report.table for report in reports] == ["trial.names", "trial.readings"]
    assert [row[4] for row in audit_rows(stores)[-2:]] == ["trial.names", "trial.readings"]


def test_a_failure_inside_the_database_undoes_the_tables_before_it(stores: Stores) -> None:
    nowhere = replace(NAMES, name="nowhere")
    names = pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]})
    with pytest.raises(Exception, match="nowhere"):
        stores.write("ml", author(), [Write(NAMES, names), Write(nowhere, names)], DAYS[0])
    assert stores.count(NAMES) == 0
    assert stores.watermark("ml", ASSET) is None
    assert audit_rows(stores) == []


def test_an_asset_cannot_write_to_a_store_that_its_transaction_does_not_reach(stores: Stores) -> None:
    elsewhere = replace(NAMES, store="market")
    with pytest.raises(StockPipelineError, match=r"trial/readings writes to the ml store, but trial\.names lies in the other"):
        stores.write("ml", author(), [Write(elsewhere, pl.DataFrame({SYMBOL: ["A"], NOTE: [""]}))], DAYS[0])


@pytest.mark.parametrize("scope", [(VALUE,), (SESSION, NOTE), ("nowhere",)])
def test_a_scope_outside_of_the_key_is_refused(stores: Stores, scope: tuple[str, ...]) -> None:
    with pytest.raises(SchemaError, match=r"trial\.readings: scope .* is not part of the key"):
        write(stores, nightly(1), scope=scope)


def test_the_watermark_never_moves_back_and_remembers_the_code_that_came_last(stores: Stores) -> None:
    frame = readings(nightly(1))
    for watermark, code, reached in [(DAYS[2], "1", DAYS[2]), (DAYS[1], "1", DAYS[2]), (DAYS[1], "2", DAYS[2]), (DAYS[3], "2", DAYS[3])]:
        stores.write("ml", author(code_version=code), [Write(READINGS, frame)], watermark)
        assert stores.watermark("ml", ASSET) == Watermark(reached, code)
    assert stores.watermark("ml", "trial/other") is None


def test_a_new_column_of_a_catalogue_is_added_by_the_write_that_brings_it(stores: Stores) -> None:
    old = pl.DataFrame({SYMBOL: ["A"], SESSION: [DAYS[0]], "first": [1.0]})
    stores.write("ml", author(), [Write(CATALOGUED, old, scope=(SESSION,))], DAYS[0])
    new = pl.DataFrame({SYMBOL: ["A"], SESSION: [DAYS[1]], "first": [2.0], "second": [3.0]})
    stores.write("ml", author(), [Write(MORE_CATALOGUED, new, scope=(SESSION,))], DAYS[1])
    assert stored(stores, MORE_CATALOGUED).rows() == [("A", DAYS[0], 1.0, None), ("A", DAYS[1], 2.0, 3.0)]
    # A column that has left the catalogue stays in the file, and null in what is written without it.
    stores.write("ml", author(), [Write(CATALOGUED, new.drop("second"), scope=(SESSION,))], DAYS[1])
    assert stored(stores, CATALOGUED).rows() == [("A", DAYS[0], 1.0), ("A", DAYS[1], 2.0)]


def test_a_column_is_not_added_by_a_write_that_fails(stores: Stores) -> None:
    frame = pl.DataFrame({SYMBOL: ["A"], SESSION: [DAYS[0]], "first": [1.0]})
    failing = Write(replace(NAMES, name="nowhere"), pl.DataFrame({SYMBOL: ["A"], NOTE: [""]}))
    with pytest.raises(Exception, match="nowhere"):
        stores.write("ml", author(), [Write(CATALOGUED, frame), failing], DAYS[0])
    with stores.ml.reader() as connection:
        columns = connection.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = 'catalogued'").fetchall()
    assert columns == [(SYMBOL,), (SESSION,)]


def test_a_table_of_its_key_alone_can_be_written_twice(stores: Stores) -> None:
    listed = replace(NAMES, name="listed", columns=NAMES.columns[:1])
    with stores.ml.writer() as connection:
        connection.execute(create_statement(listed))
    frame = pl.DataFrame({SYMBOL: ["A", "B"]})
    assert stores.write("ml", author(), [Write(listed, frame)], DAYS[0])[0].inserted == 2
    assert not stores.write("ml", author(), [Write(listed, frame)], DAYS[0])[0].changed


def versions(*rows: tuple[str, date, float, date, date | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=VERSIONS.dtypes, orient="row")


def test_a_payload_of_versions_is_the_whole_history_of_its_keys(stores: Stores) -> None:
    first = versions(("A", DAYS[0], 1.0, DAYS[0], None), ("B", DAYS[0], 1.0, DAYS[0], None))
    stores.write("ml", author(), [Write(VERSIONS, first)], DAYS[0])
    restated = versions(("A", DAYS[0], 1.0, DAYS[0], DAYS[2]), ("A", DAYS[0], 2.0, DAYS[2], None))
    report = stores.write("ml", author(), [Write(VERSIONS, restated)], DAYS[2])[0]
    assert (report.inserted, report.deleted, report.first_session) == (2, 1, DAYS[0])
    assert stored(stores, VERSIONS).equals(pl.concat([restated, first.tail(1)]).sort(SYMBOL, KNOWN_FROM))


def test_a_restatement_can_be_taken_back(stores: Stores) -> None:
    restated = versions(("A", DAYS[0], 1.0, DAYS[0], DAYS[2]), ("A", DAYS[0], 2.0, DAYS[2], None))
    stores.write("ml", author(), [Write(VERSIONS, restated)], DAYS[2])
    plain = restated.head(1).with_columns(pl.lit(None, pl.Date).alias(KNOWN_TO))
    stores.write("ml", author(), [Write(VERSIONS, plain)], DAYS[2])
    assert stored(stores, VERSIONS).equals(plain)


def test_a_failure_in_a_later_part_of_a_payload_undoes_the_parts_before_it(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    write(stores, {("A", DAYS[1]): (1.0, None), ("B", DAYS[1]): (1.0, None)})
    before = state(stores)
    monkeypatch.setattr("stock_pipeline.storage.writing.MOST_ROWS_AT_ONCE", 1)
    shrunken = {("A", DAYS[0]): (2.0, None), ("A", DAYS[1]): (2.0, None)}
    with pytest.raises(RefusedWriteError, match="1 rows of 2012-01-04 where 2 are stored"):
        write(stores, shrunken, scope=(SESSION,))
    assert state(stores) == before
