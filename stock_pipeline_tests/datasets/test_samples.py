"""Samples: rows of a panel, each with the sessions before it at hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.datasets.samples import Samples, matrix
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.laws import law

DAYS = sessions(12)
NAMES = ("a", "b")
# Stocks A and B; B lacks its second session.
HELD = [(0, "A"), (0, "B"), (1, "A"), (2, "A"), (2, "B")]


def panel_of(held: list[tuple[int, str]]) -> pl.DataFrame:
    """A row for each pair of session and stock, whose features tell which it is."""
    return pl.DataFrame(
        {
            SESSION: [DAYS[at] for at, _ in held],
            SYMBOL: [symbol for _, symbol in held],
            "a": [float(at + 1) for at, _ in held],
            "b": [float(ord(symbol)) for _, symbol in held],
        },
        schema={SESSION: pl.Date, SYMBOL: pl.String, "a": pl.Float64, "b": pl.Float64},
    )


def test_every_row_is_a_sample_with_its_session_and_the_row_before() -> None:
    samples = Samples.of(panel_of(HELD), NAMES)
    assert (samples.names, len(samples)) == (NAMES, 5)
    assert samples.session.tolist() == [0, 0, 1, 2, 2]
    assert samples.previous.tolist() == [-1, -1, 0, 2, -1]
    kinds = [array.dtype.name for array in (samples.x, samples.session, samples.previous, samples.rows)]
    assert kinds == ["float32", "int32", "int32", "int64"]


def test_a_window_ends_where_the_stock_lacks_a_row() -> None:
    windows = Samples.of(panel_of(HELD), NAMES).windows(3)
    assert windows.shape == (5, 3, 2) and windows.dtype == np.float32
    assert windows[3].tolist() == [[1, 65], [2, 65], [3, 65]]
    assert windows[4].tolist() == [[0, 0], [0, 0], [3, 66]]
    assert windows[1].tolist() == [[0, 0], [0, 0], [1, 66]]


@given(st.sets(st.tuples(st.integers(0, 11), st.sampled_from("ABCD")), min_size=1, max_size=40), st.integers(1, 5), st.data())
@law(60)
def test_windows_are_what_a_loop_over_the_rows_finds(held: set[tuple[int, str]], length: int, data: st.DataObject) -> None:
    rows = sorted(held)
    calendar = {at: number for number, at in enumerate(sorted({at for at, _ in held}))}
    taken = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1))))
    samples = Samples.of(panel_of(rows), NAMES).take(np.array(taken, dtype=np.int64))
    back = {number: at for at, number in calendar.items()}
    expected = np.zeros((len(taken), length, 2), np.float32)
    for place, (at, symbol) in enumerate(rows[row] for row in taken):
        for step in range(length):
            day = back.get(calendar[at] - step)
            if (day, symbol) not in held or day is None:
                break
            expected[place, length - 1 - step] = (day + 1, ord(symbol))
    assert samples.windows(length).tolist() == expected.tolist()
    assert samples.windows(1)[:, 0].tolist() == samples.matrix().tolist()


def test_some_samples_still_see_the_sessions_before_them() -> None:
    samples = Samples.of(panel_of(HELD), NAMES)
    last = samples.take(samples.sessions == 2)
    assert (len(last), last.sessions.tolist(), last.rows.tolist()) == (2, [2, 2], [3, 4])
    assert last.x is samples.x
    assert last.windows(2)[0].tolist() == [[2, 65], [3, 65]]
    assert last.take(slice(1, 2)).matrix().tolist() == [[3, 66]]
    assert last.take(np.array([0])).rows.tolist() == [3]


def test_rows_side_by_side_cost_no_copy_and_others_come_in_their_order() -> None:
    samples = Samples.of(panel_of(HELD), NAMES)
    assert np.shares_memory(samples.take(slice(1, 4)).matrix(), samples.x)
    assert samples.take(slice(1, 4)).matrix().tolist() == samples.x[1:4].tolist()
    assert samples.take(np.array([0, 2, 4])).matrix().tolist() == samples.x[[0, 2, 4]].tolist()
    none = samples.take(np.zeros(5, dtype=bool))
    assert (len(none), none.matrix().shape, none.windows(2).shape) == (0, (0, 2), (0, 2, 2))


def test_a_panel_that_is_not_sorted_is_refused() -> None:
    with pytest.raises(ValueError, match="not sorted by session"):
        Samples.of(panel_of(HELD).reverse(), NAMES)


def test_the_matrix_keeps_the_order_of_rows_and_names() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    x = matrix(frame, ["b", "a"])
    assert x.dtype == np.float32 and x.flags.c_contiguous
    assert x.tolist() == [[3.0, 1.0], [4.0, 2.0]]


def test_the_matrix_refuses_what_is_not_finite_by_name() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0], "b": [None, 4.0], "c": [float("inf"), 0.0]})
    with pytest.raises(ValueError, match="features b, c hold"):
        matrix(frame, ["a", "b", "c"])
