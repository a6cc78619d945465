"""The figures behind the PNG files that charts return, and what holds for every one of them."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from stock_pipeline.core.charts import GREY, INK, MUTED, SERIES, alternative_text, new_figure, png

EMPTY = png(new_figure(2, 2)[0], "nothing drawn")  # a PNG file with an alternative text
NEUTRAL = {GREY, INK, MUTED, "#000000"}


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved from now on, in their order."""
    saved = list[Figure]()
    save = Figure.savefig

    def watching(figure: Figure, *of: Any, **named: Any) -> None:
        saved.append(figure)
        save(figure, *of, **named)

    monkeypatch.setattr(Figure, "savefig", watching)
    return saved


def texts(figure: Figure) -> list[Text]:
    """Every text in a figure that can be seen."""
    figure.draw_without_rendering()
    return [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible() and text.get_text().strip()]


def written(figure: Figure) -> list[str]:
    """What the texts say."""
    return [text.get_text() for text in texts(figure)]


def line_colours(figure: Figure) -> set[str]:
    """The colours of lines of more than two points, without the neutral ones."""
    lines = [line for ax in figure.axes for line in ax.get_lines() if len(np.atleast_1d(line.get_xdata())) > 2]
    return {to_hex(line.get_color()) for line in lines} - NEUTRAL


def assert_legible(figure: Figure, content: bytes) -> None:
    """No text is cut off, no legend covers what is drawn, no names overlap, lines have at most six colours; and it is in words too."""
    outside = figure.bbox.padded(1.0)
    # Those of ticks beyond the limits are not drawn.
    of_ticks = {id(label) for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in axis.get_ticklabels()}
    for text in texts(figure):
        if id(text) in of_ticks:
            continue
        box = text.get_window_extent()
        assert outside.x0 <= box.x0 and box.x1 <= outside.x1 and outside.y0 <= box.y0 and box.y1 <= outside.y1, text.get_text()
    for ax in figure.axes:
        legend = ax.get_legend()
        assert legend is None or not legend.get_window_extent().overlaps(ax.get_window_extent())
        # Without the lines to what is named, and without slanted ones, whose boxes are larger than they are.
        names = [Text.get_window_extent(text) for text in ax.texts if not text.get_rotation()]
        assert not any(one.padded(-1.0).overlaps(other.padded(-1.0)) for one, other in combinations(names, 2))
        low, high = sorted(ax.get_xlim())
        ticks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
        across = [label.get_window_extent() for at, label in ticks if low <= at <= high and label.get_text() and not label.get_rotation()]
        assert not any(one.overlaps(other) for one, other in combinations(across, 2)), [
            str(label.get_text()) for label in ax.get_xticklabels()
        ]
    assert line_colours(figure) <= set(SERIES)
    assert len(line_colours(figure)) <= 6
    assert len(alternative_text(content)) > 10
