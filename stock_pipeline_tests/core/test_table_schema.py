from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import KNOWN_FROM, SESSION, SYMBOL, VALUE
from stock_pipeline.core.errors import SchemaError
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline_tests.harness.laws import law

DAY = date(2012, 1, 3)
COLUMNS = (
    Column(SYMBOL, pl.String, "ticker"),
    Column(SESSION, pl.Date, "session"),
    Column(VALUE, pl.Float64, "a share", nullable=True, minimum=0, maximum=1),
    Column("kind", pl.String, "what", nullable=True, allowed=("good", "bad")),
    Column("count", pl.Int32, "how many", minimum=1),
    Column("ratio", pl.Float32, "any figure"),
    Column("flag", pl.Boolean, "yes or no"),
    Column("moment", pl.Datetime("us"), "when", nullable=True),
)
TABLE = TableSchema("ml", "trial", "rows", "for tests", COLUMNS, (SYMBOL, SESSION))
VERSIONED = TableSchema(
    "market",
    "trial",
    "versions",
    "for tests",
    (Column(SYMBOL, pl.String, "ticker"), Column(KNOWN_FROM, pl.Date, "night"), Column("known_to", pl.Date, "night", nullable=True)),
    (SYMBOL,),
    session_column=None,
    versioned=True,
)
SOUND: dict[str, Any] = {
    SYMBOL: "A",
    SESSION: DAY,
    VALUE: 0.5,
    "kind": "good",
    "count": 1,
    "ratio": -1.0,
    "flag": True,
    "moment": datetime(2012, 1, 3, 22, 45),
}


def frame(*changes: dict[str, Any]) -> pl.DataFrame:
    """Sound rows but for the changes, one symbol each."""
    rows = [SOUND | {SYMBOL: f"S{i}"} | change for i, change in enumerate(changes)]
    return pl.DataFrame({name: pl.Series([row[name] for row in rows]) for name in SOUND})


@pytest.mark.parametrize(
    "change", [{}, {VALUE: 0.0}, {VALUE: 1.0}, {VALUE: None}, {"kind": None}, {"kind": "bad"}, {"moment": None}], ids=str
)
def test_a_sound_row_conforms(change: dict[str, Any]) -> None:
    conformed = TABLE.validate(frame({}, change))
    assert conformed.schema == pl.Schema(TABLE.dtypes)
    assert conformed.row(1, named=True) == SOUND | {SYMBOL: "S1"} | change


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({SYMBOL: None}, "column symbol is null in 1 of 2 rows"),
        ({SESSION: None}, "column session is null in 1 of 2 rows"),
        ({"flag": None}, "column flag is null in 1 of 2 rows"),
        ({"ratio": float("nan")}, "column ratio is not finite in 1 of 2 rows"),
        ({"ratio": float("inf")}, "column ratio is not finite in 1 of 2 rows"),
        ({"ratio": 1e39}, "column ratio is not finite in 1 of 2 rows"),  # too large for 32 bits
        ({VALUE: float("nan")}, "column value is not finite in 1 of 2 rows"),
        ({VALUE: -1e-9}, "column value is below 0 in 1 of 2 rows"),
        ({VALUE: 1.000001}, "column value is above 1 in 1 of 2 rows"),
        ({"count": 0}, "column count is below 1 in 1 of 2 rows"),
        ({"kind": "ugly"}, "column kind is not one of good, bad in 1 of 2 rows"),
        ({"kind": ""}, "column kind is not one of good, bad in 1 of 2 rows"),
        ({"count": 2**31}, "wrong type"),
    ],
    ids=str,
)
def test_a_broken_rule_names_table_column_rule_count_and_an_example(change: dict[str, Any], phrase: str) -> None:
    with pytest.raises(SchemaError) as caught:
        TABLE.validate(frame({}, change))
    message = str(caught.value)
    assert message.startswith("trial.rows: ")
    assert phrase in message
    assert "\n" not in message
    if "wrong type" not in phrase:
        assert f"'symbol': {change.get(SYMBOL, 'S1')!r}" in message


def test_every_offending_row_is_counted() -> None:
    with pytest.raises(SchemaError, match="column value is above 1 in 3 of 4 rows"):
        TABLE.validate(frame({VALUE: 2.0}, {VALUE: 3.0}, {}, {VALUE: 1.5}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("count", [1.5]),  # a fraction would be cut off
        ("count", [1.0]),
        ("count", ["1"]),
        ("count", [True]),
        (VALUE, ["0.5"]),
        (VALUE, [DAY]),
        (SESSION, [15342]),
        (SESSION, ["2012-01-03"]),
        (SESSION, [datetime(2012, 1, 3, 15)]),
        (SYMBOL, [5]),
        (SYMBOL, [DAY]),
        ("flag", [1]),
        ("moment", [DAY]),
    ],
)
def test_a_type_that_does_not_fit_is_refused_rather_than_converted(name: str, values: list[Any]) -> None:
    with pytest.raises(SchemaError, match=f"wrong type: {name} is"):
        TABLE.validate(frame({}).with_columns(pl.Series(name, values)))


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("count", pl.Series([7], dtype=pl.Int8)),
        ("count", pl.Series([7], dtype=pl.UInt64)),
        (VALUE, pl.Series([1], dtype=pl.Int64)),
        (VALUE, pl.Series([0.5], dtype=pl.Float32)),
        (VALUE, pl.Series([None], dtype=pl.Null)),
        (SYMBOL, pl.Series(["A"], dtype=pl.Categorical)),
        ("moment", pl.Series([datetime(2012, 1, 3)], dtype=pl.Datetime("ns"))),
    ],
    ids=lambda given: str(given.dtype) if isinstance(given, pl.Series) else given,
)
def test_a_type_that_loses_nothing_is_converted(name: str, series: pl.Series) -> None:
    conformed = TABLE.validate(frame({}).with_columns(series.alias(name)))
    assert conformed.schema == pl.Schema(TABLE.dtypes)
    assert conformed[name].to_list() == series.to_list()


def test_missing_and_unknown_columns_are_both_named() -> None:
    with pytest.raises(SchemaError, match=r"missing columns \['value'\], unknown columns \['surplus'\]"):
        TABLE.validate(frame({}).rename({VALUE: "surplus"}))


def test_columns_come_back_in_the_table_s_order() -> None:
    shuffled = frame({}, {}).select(reversed(TABLE.column_names))
    assert TABLE.validate(shuffled).equals(TABLE.validate(frame({}, {})))


def test_a_repeated_key_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"key \(symbol, session\) is not unique, 2 rows too many, for example \('A',"):
        TABLE.validate(frame({SYMBOL: "A"}, {SYMBOL: "A"}, {SYMBOL: "A"}, {}))


def test_versions_of_one_key_differ_by_the_night_on_which_they_were_known() -> None:
    versions = pl.DataFrame({SYMBOL: ["A", "A"], KNOWN_FROM: [DAY, date(2012, 1, 4)], "known_to": [date(2012, 1, 4), None]})
    assert VERSIONED.validate(versions).height == 2
    with pytest.raises(SchemaError, match=r"key \(symbol, known_from\) is not unique"):
        VERSIONED.validate(versions.with_columns(pl.lit(DAY).alias(KNOWN_FROM)))


def test_an_empty_frame_conforms() -> None:
    assert TABLE.validate(TABLE.empty()).height == 0
    assert TABLE.empty().schema == pl.Schema(TABLE.dtypes)


@law(60)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.none() | st.floats(allow_subnormal=False), st.integers(-1, 3)), max_size=6))
def test_what_conforms_satisfies_every_rule_and_what_does_not_breaks_one(rows: list[tuple[str, float | None, int]]) -> None:
    given_rows = [SOUND | {SYMBOL: symbol, VALUE: value, "count": count} for symbol, value, count in rows]
    given_frame = pl.DataFrame(given_rows, schema=TABLE.dtypes)
    sound = all((value is None or 0 <= value <= 1) and count >= 1 for _, value, count in rows)
    sound &= len({symbol for symbol, _, _ in rows}) == len(rows)
    if sound:
        assert TABLE.validate(given_frame).equals(given_frame)
    else:
        with pytest.raises(SchemaError):
            TABLE.validate(given_frame)


def test_require_is_the_allow_list_of_columns() -> None:
    assert TABLE.require(["kind", SYMBOL]) == ("kind", SYMBOL)
    with pytest.raises(SchemaError, match=r"trial\.rows has no column 'value; DROP TABLE x', 'y'"):
        TABLE.require([VALUE, "value; DROP TABLE x", "y"])


@pytest.mark.parametrize(
    ("columns", "key", "session_column"),
    [
        (COLUMNS, ("nowhere",), SESSION),
        (COLUMNS, (SYMBOL,), "nowhere"),
        ((*COLUMNS, COLUMNS[0]), (SYMBOL,), SESSION),
    ],
    ids=["key", "session column", "one name twice"],
)
def test_a_schema_that_contradicts_itself_cannot_be_made(columns: tuple[Column, ...], key: tuple[str, ...], session_column: str) -> None:
    with pytest.raises(SchemaError, match="not among the columns, or one is named twice"):
        TableSchema("ml", "trial", "rows", "for tests", columns, key, session_column)


def test_a_table_is_called_by_its_stage_and_name() -> None:
    assert TABLE.qualified_name == "trial.rows"
    assert TABLE.column_names == tuple(column.name for column in COLUMNS)
