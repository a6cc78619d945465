import struct
from datetime import date, timedelta

import polars as pl
import pytest

from stock_pipeline.core.charts import (
    BLUE,
    FEW_DAYS,
    MOST_KEPT,
    alternative_text,
    day_axis,
    drawn_once,
    headline,
    legend_beside,
    log_axis,
    new_figure,
    png,
)
from stock_pipeline_tests.harness.figures import assert_legible


def drawn(height: float = 1.0) -> bytes:
    figure, axes = new_figure(4, 2, rows=1, columns=2)
    axes[0].plot([1, 2, 3], [1.0, height, 2.0], color=BLUE, label="a line")
    axes[1].bar([1, 2], [3.0, 4.0])
    axes[0].legend()
    axes[0].set_title("title")
    return png(figure)


def test_the_same_figure_gives_the_same_bytes_and_another_others() -> None:
    assert drawn() == drawn()
    assert drawn() != drawn(1.5)


def test_a_picture_is_a_png_file_of_the_size_asked_for_and_tells_nothing_else() -> None:
    chart = drawn()
    assert chart.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", chart[16:24]) == (360, 180)
    assert b"Software" not in chart
    assert chart.count(b"tEXt") == chart.count(b"Description") == 1


def test_axes_come_row_by_row() -> None:
    figure, axes = new_figure(rows=2, columns=3)
    assert len(axes) == 6
    places = [ax.get_subplotspec() for ax in axes]
    assert [(place.rowspan.start, place.colspan.start) for place in places if place is not None] == [
        (row, column) for row in range(2) for column in range(3)
    ]
    assert list(figure.get_size_inches()) == [9.0, 4.0]


def test_figures_are_kept_in_no_global_list() -> None:
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    new_figure()
    assert pyplot.get_fignums() == before


def test_the_same_rows_under_the_same_title_are_drawn_once() -> None:
    asked = list[tuple[list[int], str]]()

    @drawn_once
    def draw(rows: pl.DataFrame, title: str) -> bytes:
        asked.append((rows["a"].to_list(), title))
        return str(asked[-1]).encode()

    one, other = pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [2, 1]})
    found = [draw(rows, title) for rows, title in ((one, "x"), (one.clone(), "x"), (other, "x"), (one, "y"), (one, "x"))]
    assert asked == [([1, 2], "x"), ([2, 1], "x"), ([1, 2], "y")]
    assert found == [str(asked[place]).encode() for place in (0, 0, 1, 2, 0)]
    for number in range(MOST_KEPT):  # which pushes all of them out
        draw(one, f"title {number}")
    draw(one, "x")
    assert asked[-1] == ([1, 2], "x") and len(asked) == 3 + MOST_KEPT + 1


def test_a_picture_says_in_words_what_its_titles_and_axes_say_and_what_it_is_told() -> None:
    figure, (left, right) = new_figure(columns=2)
    headline(figure, "Costs\nin \\$")
    headline(left, "one")
    left.set_xlabel("night")
    right.set_ylabel("cost, \u20ac")
    assert alternative_text(png(figure, "It is dear.")) == "Costs. in $. one. across: night. up: cost, \u20ac. It is dear"
    assert alternative_text(png(new_figure()[0])) == ""


@pytest.mark.parametrize("days", [0, 1, 5, FEW_DAYS, 40, 400, 4000])
def test_time_is_marked_by_whole_days_however_short_it_is(days: int) -> None:
    figure, (ax,) = new_figure()
    start = date(2010, 8, 20)
    ax.plot(pl.Series([start, start + timedelta(days=days)]).to_numpy(), [1.0, 2.0], "o")
    if days == 0:
        ax.set_xlim(start - timedelta(days=1), start + timedelta(days=1))  # type: ignore[arg-type]
    day_axis(ax)
    figure.draw_without_rendering()
    low, high = ax.get_xlim()
    marked = [tick for tick in ax.get_xticks() if low <= tick <= high]
    assert 1 <= len(marked) <= 9
    assert all(tick == int(tick) for tick in marked)
    shown = [label.get_text() for label in ax.get_xticklabels()]
    assert len(set(shown)) == len(shown) and not any(":" in label for label in shown)
    assert days > FEW_DAYS or str(start) in shown


@pytest.mark.parametrize(("low", "high"), [(0.77, 1.16), (0.5, 3.0), (0.2, 40.0), (0.999, 1.001)])
def test_a_logarithmic_axis_has_plain_numbers(low: float, high: float) -> None:
    figure, (ax,) = new_figure()
    ax.plot([1, 2], [low, high])
    log_axis(ax)
    figure.draw_without_rendering()
    bottom, top = ax.get_ylim()
    ticks = [(tick, label.get_text()) for tick, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True) if bottom <= tick <= top]
    assert len(ticks) >= 3
    assert all(float(label) == pytest.approx(tick, rel=1e-5) and "e" not in label and "^" not in label for tick, label in ticks)
    assert not ax.get_yticks(minor=True).size


def test_a_legend_and_a_title_cover_nothing() -> None:
    figure, (ax,) = new_figure()
    ax.plot([1, 2], [1, 2], label="a line with quite a long name")
    headline(ax, "What is seen, in %")
    legend_beside(ax)
    assert_legible(figure, png(figure))
