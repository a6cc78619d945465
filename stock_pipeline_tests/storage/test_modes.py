import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SESSION, SYMBOL, VALUE
from stock_pipeline.core.errors import RefusedWriteError, SchemaError
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.storage import Stores, Write, append, replace_all, replace_groups, replace_sessions, upsert
from stock_pipeline.storage.audit import Watermark
from stock_pipeline_tests.factories.trial_tables import DAYS, NAMES, NOTE, READINGS, VERSIONS, Readings, author, copied, stored
from stock_pipeline_tests.harness.laws import law
from stock_pipeline_tests.harness.trial_writes import PAYLOADS, nightly, state, write


def replace_symbols(schema: TableSchema, frame: pl.DataFrame, **how: Any) -> Write:
    return replace_groups(schema, frame, (SYMBOL,), **how)


# By which part of its key a row is replaced.
REPLACED_BY: dict[Callable[..., Write], tuple[str, ...]] = {
    upsert: (SYMBOL, SESSION),
    append: (SYMBOL, SESSION),
    replace_sessions: (SESSION,),
    replace_symbols: (SYMBOL,),
    replace_all: (),
}
WRITES = st.lists(st.tuples(PAYLOADS, st.sampled_from(list(REPLACED_BY)), st.sampled_from(DAYS)), min_size=1, max_size=3)


def expected_after(held: Readings, payload: Readings, mode: Callable[..., Write]) -> Readings:
    """What the table holds after a write, told without SQL."""
    if mode is append:
        return dict(payload) | dict(held)

    def place(key: tuple[str, date]) -> tuple[Any, ...]:
        return tuple(dict(zip((SYMBOL, SESSION), key, strict=True))[name] for name in REPLACED_BY[mode])

    replaced = {place(key) for key in payload}
    return {key: row for key, row in held.items() if place(key) not in replaced} | dict(payload)


@law(15)
@given(writes=WRITES, rows_at_once=st.sampled_from([1, 3, 250_000]))
def test_a_write_changes_what_its_mode_says_and_nothing_else_and_a_second_time_nothing_at_all(
    writes: Any, rows_at_once: int, template: Stores
) -> None:
    with tempfile.TemporaryDirectory() as folder, patch("stock_pipeline.storage.writing.MOST_ROWS_AT_ONCE", rows_at_once):
        stores = copied(template, Path(folder))
        held: Readings = {}
        reached: date | None = None
        audited = 0
        for minute, (payload, mode, watermark) in enumerate(writes):
            after = expected_after(held, payload, mode)
            inserted = {key for key, row in after.items() if key not in held or held[key] != row}
            deleted = {key for key, row in held.items() if after.get(key) != row}
            how = {"least_share": 0.0} if mode in (replace_sessions, replace_symbols) else {}
            report = write(stores, payload, watermark, minute, mode, **how)
            held, reached = after, watermark if reached is None else max(reached, watermark)
            audited += report.changed
            left = state(stores)

            assert left.rows == held
            assert (report.rows_in, report.inserted, report.deleted) == (len(payload), len(inserted), len(deleted))
            assert report.changed == bool(inserted or deleted)
            assert report.first_session == min((day for _, day in inserted | deleted), default=None)
            assert left.watermark == Watermark(reached, "1", "{}")
            assert len(left.audit) == audited

            again = write(stores, payload, watermark, minute + 30, mode)
            assert (again.inserted, again.deleted, again.changed, again.first_session) == (0, 0, False, None)
            assert state(stores) == left


def test_upsert_replaces_rows_one_by_one(stores: Stores) -> None:
    write(stores, nightly(10))
    report = write(stores, {("S3", DAYS[0]): (2.0, "new")}, mode=upsert)
    assert (report.inserted, report.deleted) == (1, 1)
    assert state(stores).rows == {**nightly(10), ("S3", DAYS[0]): (2.0, "new")}


def test_append_leaves_what_is_stored_as_it_is(stores: Stores) -> None:
    write(stores, nightly(2))
    report = write(stores, nightly(3, value=9.0), mode=append)
    assert (report.rows_in, report.inserted, report.deleted) == (3, 1, 0)
    assert state(stores).rows == {**nightly(3, value=9.0), **nightly(2)}


def test_rows_that_vanished_from_a_night_go_and_other_nights_stay(stores: Stores) -> None:
    write(stores, {("A", DAYS[0]): (1.0, None), ("B", DAYS[0]): (1.0, None), ("A", DAYS[1]): (1.0, None)})
    report = write(stores, {("A", DAYS[0]): (1.0, None)}, least_share=0.5)
    assert set(state(stores).rows) == {("A", DAYS[0]), ("A", DAYS[1])}
    assert (report.inserted, report.deleted) == (0, 1)


def test_an_empty_payload_of_the_whole_table_empties_it(stores: Stores) -> None:
    write(stores, nightly(3))
    assert write(stores, {}, mode=replace_all, may_be_empty=True).deleted == 3
    assert state(stores).rows == {}


@pytest.mark.parametrize(("count", "refused"), [(9, False), (8, True), (1, True)])
def test_a_shrunken_payload_is_refused_and_nothing_changes(stores: Stores, count: int, refused: bool) -> None:
    write(stores, nightly(10))
    before = state(stores)
    if not refused:
        assert write(stores, nightly(count)).deleted == 10 - count
        return
    wanted = rf"trial\.readings: the payload has {count} rows of 2012-01-03 where 10 are stored, less than the required 90%"
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
    with pytest.raises(RefusedWriteError, match="less than the required 50%"):
        write(stores, nightly(4), least_share=0.5)
    assert write(stores, nightly(5), least_share=0.5).deleted == 5
    assert write(stores, nightly(1), least_share=0.0).deleted == 4


@pytest.mark.parametrize("by", [(VALUE,), (SESSION, NOTE), ("nowhere",)])
def test_groups_by_what_is_not_in_the_key_are_refused(by: tuple[str, ...]) -> None:
    with pytest.raises(SchemaError, match=r"trial\.readings: .* is not part of the key to replace by"):
        replace_groups(READINGS, READINGS.empty(), by)


def test_sessions_are_replaced_where_the_key_has_one() -> None:
    with pytest.raises(SchemaError, match=r"trial\.names has no session column to replace by"):
        replace_sessions(NAMES, NAMES.empty())
    with pytest.raises(SchemaError, match=r"trial\.readings: 'session' is not part of the key"):
        replace_sessions(replace(READINGS, key=(SYMBOL,)), READINGS.empty())


def versions(*rows: tuple[str, date, float, date, date | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=VERSIONS.dtypes, orient="row")


def test_an_upsert_of_versions_is_the_whole_history_of_its_keys(stores: Stores) -> None:
    first = versions(("A", DAYS[0], 1.0, DAYS[0], None), ("B", DAYS[0], 1.0, DAYS[0], None))
    stores.write("ml", author(), [upsert(VERSIONS, first)], DAYS[0])
    restated = versions(("A", DAYS[0], 1.0, DAYS[0], DAYS[2]), ("A", DAYS[0], 2.0, DAYS[2], None))
    report = stores.write("ml", author(), [upsert(VERSIONS, restated)], DAYS[2])[0]
    assert (report.inserted, report.deleted, report.first_session) == (2, 1, DAYS[0])
    assert stored(stores, VERSIONS).equals(pl.concat([restated, first.tail(1)]).sort(SYMBOL, KNOWN_FROM))


def test_a_restatement_can_be_taken_back(stores: Stores) -> None:
    restated = versions(("A", DAYS[0], 1.0, DAYS[0], DAYS[2]), ("A", DAYS[0], 2.0, DAYS[2], None))
    stores.write("ml", author(), [upsert(VERSIONS, restated)], DAYS[2])
    plain = restated.head(1).with_columns(pl.lit(None, pl.Date).alias(KNOWN_TO))
    stores.write("ml", author(), [upsert(VERSIONS, plain)], DAYS[2])
    assert stored(stores, VERSIONS).equals(plain)
