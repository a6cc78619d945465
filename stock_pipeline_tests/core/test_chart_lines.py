from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from stock_pipeline.core.chart_lines import Line, colours, draw_lines, name_lines, spread
from stock_pipeline.core.charts import BLUE, INK, MUTED, SERIES, log_axis, new_figure, png
from stock_pipeline_tests.harness.figures import assert_legible, texts

DAYS = pl.Series([date(2024, 5, 1) + timedelta(days=day) for day in range(4)])


def line(name: str, *values: float | None, colour: str = MUTED, emphasised: bool = False) -> Line:
    return Line(DAYS.head(len(values)), pl.Series(values, dtype=pl.Float64), name, colour, emphasised)


def test_up_to_six_names_have_colours_of_their_own_and_of_more_only_the_emphasised_one() -> None:
    six = ["a", "b", "c", "stack", "d", "e"]
    assert sorted(colours(six, "stack").values()) == sorted(SERIES)
    assert colours(six, "stack")["stack"] == BLUE
    assert set(colours([*six, "f"], "stack").items()) == {("stack", BLUE), *((name, MUTED) for name in "abcdef")}


def test_the_emphasised_line_is_thicker_and_lies_above_the_others() -> None:
    _, (ax,) = new_figure()
    draw_lines(ax, [line("stack", 1, 2, 3, colour=BLUE, emphasised=True), line("other", 1, 2, 2)])
    stack, other = ax.get_lines()
    assert stack.get_linewidth() > other.get_linewidth() and stack.get_zorder() > other.get_zorder()
    assert (to_hex(stack.get_color()), to_hex(other.get_color())) == (BLUE, MUTED)


def test_names_stand_at_the_last_values_apart_and_in_their_order() -> None:
    figure, (ax,) = new_figure()
    lines = [line(name, 0.0, 1.0, last) for name, last in (("low", 1.0), ("high", 9.0), ("middle", 1.001), ("gone", None))]
    draw_lines(ax, lines)
    name_lines(ax, lines)
    assert_legible(figure, png(figure, "what four lines show"))
    placed = {
        text.get_text(): text.get_window_extent().y0 for text in texts(figure) if text.get_text() in ("low", "middle", "high", "gone")
    }
    # The line that ends in a null has its name at the last value known, 1.0 on the day before.
    assert placed["low"] < placed["middle"] < placed["high"]
    assert "gone" in placed and len(set(placed.values())) == 4
    assert all(text.get_color() == INK for text in ax.texts)


def test_what_has_no_values_or_no_name_is_not_named_and_one_value_is_a_point() -> None:
    figure, (ax,) = new_figure()
    lines = [line("nothing", None, None), line("", 1.0, 2.0), line("one", 3.0)]
    draw_lines(ax, lines)
    name_lines(ax, lines)
    assert [text.get_text() for text in ax.texts] == ["one"]
    assert [drawn.get_marker() for drawn in ax.get_lines()] == ["None", "None", "o"]
    assert png(figure)


def test_a_line_at_zero_is_named_on_a_logarithmic_axis_too() -> None:
    figure, (ax,) = new_figure()
    lines = [line("lost", 1.0, 0.5, 0.0), line("won", 1.0, 1.5, 2.0)]
    draw_lines(ax, lines)
    log_axis(ax)
    name_lines(ax, lines)
    assert_legible(figure, png(figure, "lost and won"))


@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=12), st.floats(0.001, 0.3))
def test_heights_are_moved_apart_within_the_axes_and_in_their_order(heights: list[float], gap: float) -> None:
    given_heights = np.array(heights)
    moved = spread(given_heights, gap)
    assert moved.min() >= -1e-9 and moved.max() <= 1 + 1e-9
    order = np.argsort(given_heights, kind="stable")
    assert (np.diff(moved[order]) >= min(gap, 1 / max(len(heights) - 1, 1)) - 1e-9).all()


def test_heights_that_are_apart_stay_and_others_move_as_little_as_they_must() -> None:
    np.testing.assert_allclose(spread(np.array([0.9, 0.1, 0.5]), 0.2), [0.9, 0.1, 0.5])
    np.testing.assert_allclose(spread(np.array([0.5, 0.5]), 0.2), [0.4, 0.6])


@pytest.mark.parametrize("count", [1, 12])
def test_as_many_names_as_there_are_models_fit_beside_a_chart(count: int) -> None:
    figure, (ax,) = new_figure()
    lines = [line(f"model_{place:02d}", 0.0, place / 100) for place in range(count)]
    draw_lines(ax, lines)
    name_lines(ax, lines)
    assert_legible(figure, png(figure, "many models"))
