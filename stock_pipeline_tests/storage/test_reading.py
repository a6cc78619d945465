from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SESSION, SYMBOL, VALUE
from stock_pipeline.core.errors import SchemaError
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.storage import Stores, replace_sessions, upsert
from stock_pipeline.storage.reading import Selection
from stock_pipeline_tests.factories.trial_tables import (
    CATALOGUED,
    DAYS,
    MORE_CATALOGUED,
    NAMES,
    NOTE,
    READINGS,
    VERSIONS,
    author,
    copied,
    readings,
)
from stock_pipeline_tests.harness.laws import law

NASTY = ["A'; DROP TABLE trial.readings; --", 'B"', "C%", "😀", "S" * 300, "", "null", "a\nb", "O''Hara", "?", "$1", "{}", " A "]


@pytest.fixture(scope="module")
def filled(template: Stores, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Readings of nasty symbols and plain ones over five sessions, and the versions of two rows."""
    stores = copied(template, tmp_path_factory.mktemp("filled"))
    rows = {(symbol, day): (float(i), None) for i, day in enumerate(DAYS[:5]) for symbol in [*NASTY, "A", "B"]}
    versions = pl.DataFrame(
        [
            ("A", DAYS[0], 1.0, DAYS[0], DAYS[2]),
            ("A", DAYS[0], 2.0, DAYS[2], DAYS[4]),
            ("A", DAYS[0], 3.0, DAYS[4], None),
            ("B", DAYS[1], 9.0, DAYS[3], None),
        ],
        schema=VERSIONS.dtypes,
        orient="row",
    )
    stores.write("ml", author(), [upsert(READINGS, readings(rows)), upsert(VERSIONS, versions)], DAYS[4])
    return stores


def selected(stores: Stores, table: TableSchema = READINGS, **selection: Any) -> pl.DataFrame:
    return stores.read(table, Selection(**selection))


def test_without_a_selection_the_whole_table_comes_in_the_order_of_its_key(filled: Stores) -> None:
    frame = filled.read(READINGS)
    assert frame.schema == pl.Schema(READINGS.dtypes)
    assert frame.height == 5 * (len(NASTY) + 2) == filled.count(READINGS)
    assert frame.equals(frame.sort(SYMBOL, SESSION))


@law(8)
@given(bounds=st.tuples(st.none() | st.sampled_from(DAYS), st.none() | st.sampled_from(DAYS)))
def test_a_range_of_sessions_includes_both_ends(bounds: tuple[date | None, date | None], filled: Stores) -> None:
    first, last = bounds
    wanted = [day for day in DAYS[:5] if (first is None or day >= first) and (last is None or day <= last)]
    assert selected(filled, first=first, last=last, equals={SYMBOL: ["A"]})[SESSION].to_list() == wanted


@pytest.mark.parametrize("symbol", NASTY)
def test_a_symbol_is_a_value_whatever_it_looks_like(filled: Stores, symbol: str) -> None:
    frame = selected(filled, equals={SYMBOL: [symbol]})
    assert frame[SYMBOL].to_list() == [symbol] * 5
    assert selected(filled, equals={SYMBOL: [f"{symbol}x"]}).is_empty()


@law(8)
@given(symbols=st.lists(st.text(max_size=20) | st.sampled_from(NASTY), max_size=4))
def test_any_text_may_be_asked_for(symbols: list[str], filled: Stores) -> None:
    frame = selected(filled, equals={SYMBOL: symbols})
    assert set(frame[SYMBOL]) == set(symbols) & {*NASTY, "A", "B"}


def test_several_conditions_must_all_hold(filled: Stores) -> None:
    frame = selected(filled, equals={SYMBOL: ["A", "B"], SESSION: [DAYS[1]], VALUE: [1.0]}, columns=(SYMBOL, VALUE))
    assert frame.rows() == [("A", 1.0), ("B", 1.0)]


def test_nothing_is_equal_to_one_of_no_values(filled: Stores) -> None:
    empty = selected(filled, equals={SYMBOL: []})
    assert empty.is_empty()
    assert empty.schema == pl.Schema(READINGS.dtypes)


def test_columns_come_in_the_order_asked_for(filled: Stores) -> None:
    assert selected(filled, columns=(VALUE, SYMBOL), last=DAYS[0]).columns == [VALUE, SYMBOL]


@pytest.mark.parametrize(
    ("known_on", "known"),
    [
        (date(2012, 1, 2), []),
        (DAYS[0], [("A", 1.0)]),
        (DAYS[1], [("A", 1.0)]),
        (DAYS[2], [("A", 2.0)]),
        (DAYS[3], [("A", 2.0), ("B", 9.0)]),
        (date(2012, 1, 8), [("A", 2.0), ("B", 9.0)]),
        (DAYS[4], [("A", 3.0), ("B", 9.0)]),
        (date(2100, 1, 1), [("A", 3.0), ("B", 9.0)]),
    ],
)
def test_a_night_is_read_as_it_was_known_then(filled: Stores, known_on: date, known: list[tuple[str, float]]) -> None:
    assert selected(filled, VERSIONS, known_on=known_on, columns=(SYMBOL, VALUE)).rows() == known


def test_every_version_is_there_when_no_night_is_given(filled: Stores) -> None:
    assert selected(filled, VERSIONS)[VALUE].to_list() == [1.0, 2.0, 3.0, 9.0]
    assert selected(filled, VERSIONS, columns=(KNOWN_FROM, KNOWN_TO)).height == 4


@pytest.mark.parametrize(
    ("table", "selection", "message"),
    [
        (READINGS, {"columns": ("nowhere",)}, "trial.readings has no column 'nowhere'"),
        (READINGS, {"columns": (SYMBOL, '"; DROP TABLE x; --')}, "has no column '\"; DROP TABLE x; --'"),
        (READINGS, {"equals": {"nowhere": [1]}}, "trial.readings has no column 'nowhere'"),
        (READINGS, {"known_on": DAYS[0]}, "trial.readings keeps no versions, so it cannot be read as of a night"),
        (NAMES, {"first": DAYS[0]}, "trial.names has no session column to select by"),
        (NAMES, {"last": DAYS[0]}, "trial.names has no session column to select by"),
        (NAMES, {"latest": True}, "trial.names has no session column to select by"),
    ],
    ids=str,
)
def test_what_the_table_does_not_have_cannot_be_selected(filled: Stores, table: TableSchema, selection: Any, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        selected(filled, table, **selection)
    assert message in str(caught.value)


def test_a_table_that_no_write_has_brought_has_no_rows(stores: Stores) -> None:
    for absent in (replace(READINGS, name="nowhere"), replace(READINGS, room="nowhere")):
        assert selected(stores, absent, last=DAYS[0], equals={SYMBOL: ["A"]}, columns=(VALUE,)).schema == {VALUE: pl.Float64}
        assert (stores.count(absent), stores.read_versioned(absent).version) == (0, 0)


def test_a_column_that_no_write_has_brought_is_null(stores: Stores) -> None:
    frame = pl.DataFrame({SYMBOL: ["A", "B"], SESSION: [DAYS[0], DAYS[0]], "first": [1.0, None]})
    stores.write("ml", author(), [upsert(CATALOGUED, frame)], DAYS[0])
    assert selected(stores, MORE_CATALOGUED).rows() == [("A", DAYS[0], 1.0, None), ("B", DAYS[0], None, None)]
    alone = selected(stores, MORE_CATALOGUED, columns=("second",))
    assert alone.rows() == [(None,), (None,)]
    assert alone.schema == {"second": pl.Float32}
    assert selected(stores, MORE_CATALOGUED, equals={"second": [1.0]}).is_empty()
    assert selected(stores, MORE_CATALOGUED, columns=("second", "first"), distinct=True).rows() == [(None, 1.0), (None, None)]


def test_an_empty_table_has_its_columns_and_types(stores: Stores) -> None:
    for table in (READINGS, NAMES, VERSIONS, MORE_CATALOGUED):
        assert stores.read(table).schema == pl.Schema(table.dtypes)


def test_a_name_that_needs_quoting_is_quoted(stores: Stores) -> None:
    odd = replace(NAMES, name='order "by"')
    stores.write("ml", author(), [upsert(odd, pl.DataFrame({SYMBOL: ["A"], NOTE: ["a name"]}))], DAYS[0])
    assert stores.read(odd).rows() == [("A", "a name")]


FIGURES = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@law(6)
@given(values=st.lists(st.tuples(FIGURES, st.none() | st.text(max_size=8)), min_size=1))
def test_what_was_written_is_read_to_the_last_bit(values: list[tuple[float | None, str | None]], filled: Stores) -> None:
    frame = readings({(f"R{i:03d}", DAYS[5]): row for i, row in enumerate(values)})
    filled.write("ml", author(), [replace_sessions(READINGS, frame, least_share=0.0)], DAYS[5])
    assert selected(filled, first=DAYS[5]).equals(frame)
    assert selected(filled, first=DAYS[5], columns=(NOTE,))[NOTE].to_list() == [note for _, note in values]


def test_the_latest_rows_are_those_of_the_last_session_among_the_others_that_were_asked_for(filled: Stores) -> None:
    latest = selected(filled, VERSIONS, latest=True)
    assert latest.select(SYMBOL, SESSION).rows() == [("B", DAYS[1])]
    assert selected(filled, VERSIONS, latest=True, last=DAYS[0])[VALUE].to_list() == [1.0, 2.0, 3.0]
    assert selected(filled, VERSIONS, latest=True, equals={SYMBOL: ["A"]}, known_on=DAYS[2]).select(SYMBOL, VALUE).rows() == [("A", 2.0)]
    assert selected(filled, latest=True, columns=(SESSION,), last=DAYS[3], distinct=True)[SESSION].to_list() == [DAYS[3]]
    assert selected(filled, latest=True, last=date(2012, 1, 2)).is_empty()
    assert selected(filled, replace(READINGS, name="nowhere"), latest=True).is_empty()


def test_distinct_rows_come_once_in_the_order_of_the_columns(filled: Stores) -> None:
    sessions = filled.read(READINGS, Selection(columns=(SESSION,), last=DAYS[3], distinct=True))
    assert sessions[SESSION].to_list() == DAYS[:4]
    pairs = filled.read(READINGS, Selection(columns=(VALUE, SESSION), distinct=True))
    every = filled.read(READINGS, Selection(columns=(VALUE, SESSION)))
    assert pairs.height < every.height
    assert pairs.equals(every.unique().sort(VALUE, SESSION, nulls_last=True))
