"""Drawing: a figure in the house style, and a figure as the bytes of a PNG file.

The stages' ``charts.py`` draw on it; matplotlib is imported inside the functions because it takes half a second.
"""

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Final, TypeVar

import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_KEPT: Final = 64
Drawn = TypeVar("Drawn")
BLUE, ORANGE, GREEN, RED, GREY = "#2563a8", "#e07b28", "#2e8b57", "#c23b3b", "#8a8f98"


def new_figure(width: float = 9.0, height: float = 4.0, rows: int = 1, columns: int = 1) -> tuple["Figure", list["Axes"]]:
    """A figure and its axes, row by row. It belongs to no global state, so nobody needs to close it.

    Args:
        width: of the whole figure, in inches.
        height: of the whole figure, in inches.
        rows: rows of axes.
        columns: columns of axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="#e6e8eb", linewidth=0.6)
        ax.set_axisbelow(True)
    return figure, axes


def png(figure: "Figure", dpi: int = 90) -> bytes:
    """The figure as a PNG file. The same figure always gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def drawn_once(draw: Callable[[pl.DataFrame, str], Drawn]) -> Callable[[pl.DataFrame, str], Drawn]:
    """Draw the same rows in the same order under the same title once, however often they are shown; the last charts are kept."""
    kept = OrderedDict[str, Drawn]()

    @wraps(draw)
    def drawn_or_kept(rows: pl.DataFrame, title: str) -> Drawn:
        content = hashlib.sha256(rows.hash_rows().to_numpy().tobytes()).hexdigest()
        key = f"{rows.schema} {content} {title}"
        if key not in kept:
            kept[key] = draw(rows, title)
        kept.move_to_end(key)
        if len(kept) > MOST_KEPT:
            kept.popitem(last=False)
        return kept[key]

    return drawn_or_kept
