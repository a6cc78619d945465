import struct

import polars as pl

from stock_pipeline.core.charts import BLUE, MOST_KEPT, drawn_once, new_figure, png


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
    assert b"tEXt" not in chart


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
