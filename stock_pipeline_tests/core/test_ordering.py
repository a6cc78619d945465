from datetime import date
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.ordering import in_order, strictly_ordered
from stock_pipeline_tests.harness.laws import law

SCHEMA = {"text": pl.String, "day": pl.Date, "number": pl.Float64}
values = st.tuples(
    st.one_of(st.none(), st.sampled_from(["", "A", "B", "é"])),
    st.one_of(st.none(), st.sampled_from([date(2024, 1, 2), date(2024, 1, 3)])),
    st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 2.5])),
)


def frame(rows: list[tuple[str | None, date | None, float | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@law(100)
@given(rows=st.lists(values, max_size=6))
def test_it_is_the_order_of_tuples_in_which_none_is_like_another(rows: list[tuple[str | None, date | None, float | None]]) -> None:
    complete = [row for row in rows if None not in row]
    expected = all(one < other for one, other in pairwise(complete))
    assert strictly_ordered(frame(complete), list(SCHEMA)) == expected
    if len(rows) > 1 and any(row[0] is None for row in rows):
        assert not strictly_ordered(frame(rows), list(SCHEMA))


@law(100)
@given(rows=st.lists(values, max_size=6))
def test_rows_come_out_as_sorting_brings_them(rows: list[tuple[str | None, date | None, float | None]]) -> None:
    told = frame(rows)
    assert in_order(told, ["text", "day"]).select("text", "day").equals(told.sort("text", "day", nulls_last=True).select("text", "day"))


def test_rows_that_are_equal_are_in_no_strict_order() -> None:
    day, later = date(2024, 1, 2), date(2024, 1, 3)
    rows = frame([("A", day, 1.0), ("A", later, 0.0), ("B", day, 0.0)])
    assert strictly_ordered(rows, ["text", "day"])
    assert not strictly_ordered(rows, ["text"])
    assert not strictly_ordered(rows, ["day", "text"])
    assert not strictly_ordered(pl.concat([rows, rows.tail(1)]), ["text", "day"])
    assert not strictly_ordered(frame([("A", later, 1.0), ("A", day, 0.0)]), ["text", "day"])


def test_rows_in_order_are_not_moved() -> None:
    told = frame([("A", None, 1.0), ("B", None, 0.0)])
    assert in_order(told, ["text"]) is told


@pytest.mark.parametrize("names", [[], ["text"]])
def test_no_columns_and_one_row_are_in_order(names: list[str]) -> None:
    assert strictly_ordered(frame([("A", None, 1.0)]), names)
