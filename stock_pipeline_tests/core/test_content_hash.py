from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stock_pipeline.core.content_hash import content_hash
from stock_pipeline_tests.harness.laws import law

SCHEMA: dict[str, Any] = {
    "key": pl.Int64,
    "text": pl.String,
    "number": pl.Float64,
    "small": pl.Int32,
    "flag": pl.Boolean,
    "day": pl.Date,
    "moment": pl.Datetime("us"),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=4),
    "number": st.floats(allow_nan=False).map(lambda value: value + 0.0),  # no -0.0: it equals 0.0 but differs in its bits
    "small": st.integers(-(2**31), 2**31 - 1),
    "flag": st.booleans(),
    "day": st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    "moment": st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}), min_size=1, max_size=6)


def keyed(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{"key": i} | row for i, row in enumerate(rows)], schema=SCHEMA)


def hashed(frame: pl.DataFrame) -> str:
    return content_hash(frame, ("key",))


@law(60)
@given(ROWS, st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_of_columns_matters(rows: list[dict[str, Any]], random: Any) -> None:
    frame = keyed(rows)
    positions, names = list(range(frame.height)), list(frame.columns)
    random.shuffle(positions)
    random.shuffle(names)
    assert hashed(frame[positions].select(names)) == hashed(frame)


@law(60)
@given(ROWS, st.data())
def test_any_other_value_gives_another_hash(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    row, name = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from(sorted(VALUES)))
    other = data.draw(st.none() | VALUES[name])
    assume(other != rows[row][name])
    changed = [held | {name: other} if i == row else held for i, held in enumerate(rows)]
    assert hashed(keyed(changed)) != hashed(keyed(rows))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["", "a"], ["a", ""]),
        ([None, "a"], ["", "a"]),
        (["a\0", "b"], ["a", "\0b"]),
        (["é"], ["e\u0301"]),
        ([0, None], [0, 0]),
        ([None, 0], [0, None]),
        ([False, None], [False, False]),
        ([0.0], [1e-320]),
        ([], [None]),
    ],
)
def test_what_might_be_confused_is_told_apart(one: list[Any], other: list[Any]) -> None:
    dtype = pl.Series([value for value in (*one, *other) if value is not None]).dtype

    def frame(values: list[Any]) -> pl.DataFrame:
        return pl.DataFrame({"key": pl.Series(range(len(values)), dtype=pl.Int64), "x": pl.Series(values, dtype=dtype)})

    assert hashed(frame(one)) != hashed(frame(other))


def test_text_counts_to_its_last_letter() -> None:
    names = ["abcd", "ab", "é", None, "xyz"]
    others = [[*names[:-1], "xyw"], ["Abcd", *names[1:]], ["abcd", "ab", "è", None, "xyz"], [*names[:3], "", "xyz"]]
    hashes = {content_hash(pl.DataFrame({"key": range(5), "text": text}), ["key"]) for text in (names, *others)}
    assert len(hashes) == 5


def test_values_do_not_wander_between_columns() -> None:
    assert hashed(pl.DataFrame({"key": [1], "x": ["a"], "y": ["b"]})) != hashed(pl.DataFrame({"key": [1], "x": ["b"], "y": ["a"]}))
    assert hashed(pl.DataFrame({"key": [1], "x": ["ab"], "y": [""]})) != hashed(pl.DataFrame({"key": [1], "x": ["a"], "y": ["b"]}))


def test_another_name_or_type_gives_another_hash() -> None:
    frame = pl.DataFrame({"key": [1, 2], "x": [0, 1]})
    hashes = [
        hashed(frame),
        hashed(frame.rename({"x": "y"})),
        *(hashed(frame.cast({"x": dtype})) for dtype in (pl.Int32, pl.UInt64, pl.Float64)),
    ]
    hashes += [hashed(frame.with_columns(pl.lit(None, pl.Int64).alias("more"))), hashed(frame.head(1)), hashed(frame.clear())]
    assert len(set(hashes)) == len(hashes)


def test_chunks_do_not_matter() -> None:
    frame = pl.DataFrame({"key": range(10), "text": [str(i) for i in range(10)], "flag": [i % 3 == 0 for i in range(10)]})
    assert hashed(pl.concat([frame[:3], frame[3:]], rechunk=False)) == hashed(frame)


def test_the_hash_stays_the_same_from_release_to_release() -> None:
    # It is stored in the audit trail, so a change of it would look like a change of the data.
    frame = pl.DataFrame({"key": [2, 1], "text": ["b", None], "number": [0.5, -1.0], "day": [date(2012, 1, 3), None]})
    assert hashed(frame) == "60f49c6f9c1629d4648802e8c7bbee3d865f7e6fe23f542668d936502317cbf4"
