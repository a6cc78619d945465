"""Drawing: a figure in the house style, its axes, and a figure as the bytes of a PNG file that holds its alternative text.

The stages' ``charts.py`` draw on it; matplotlib is imported inside the functions because it takes half a second. Lines with their names at
their ends are in ``chart_lines``.
"""

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Final, TypeVar

import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_KEPT: Final = 64
Drawn = TypeVar("Drawn")
# Colours that the colour-blind can tell apart [Okabe and Ito, 2008], without the yellow, which is too pale for lines on white.
BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY = SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
INK, GREY, MUTED = "#1c2530", "#8a8f98", "#c6cad0"
FEW_DAYS: Final = 8


def new_figure(
    width: float = 9.0, height: float = 4.0, rows: int = 1, columns: int = 1, widths: Sequence[float] | None = None
) -> tuple["Figure", list["Axes"]]:
    """A figure and its axes, row by row. It belongs to no global state, so nobody needs to close it.

    Args:
        width: of the whole figure, in inches.
        height: of the whole figure, in inches.
        rows: rows of axes.
        columns: columns of axes.
        widths: of the columns, in relation to each other; None: equal.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False, width_ratios=widths).flat)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="#e6e8eb", linewidth=0.6)
        ax.set_axisbelow(True)
    return figure, axes


def png(figure: "Figure", told: str = "", dpi: int = 90) -> bytes:
    """The figure as a PNG file. The same figure always gives the same bytes.

    Args:
        figure: what is drawn.
        told: what it shows beside its titles and the names of its axes, for the alternative text.
        dpi: dots per inch.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None, _DESCRIPTION: _described(figure, told)})
    return buffer.getvalue()


def headline(of: "Axes | Figure", text: str) -> None:
    """Write what is seen above the axes, or above all axes of the figure, from the left."""
    from matplotlib.figure import Figure

    if isinstance(of, Figure):
        of.suptitle(text, x=0.01, ha="left", fontsize=10)
    else:
        of.set_title(text, loc="left", fontsize=10)


def legend_beside(ax: "Axes") -> None:
    """A legend right of the axes, where it covers nothing."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=8)


_DESCRIPTION = "Description"  # the keyword that the PNG specification has for it


def alternative_text(content: bytes) -> str:
    """What a PNG file of ``png`` shows, in words, for who cannot see it; empty where the file does not say.

    Args:
        content: the file.
    """
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        return str(image.info.get(_DESCRIPTION, ""))


def _described(figure: "Figure", told: str) -> str:
    titles = [figure.get_suptitle(), *(ax.get_title(loc) for ax in figure.axes for loc in ("left", "center"))]
    labels = [f"{way}: {label}" for ax in figure.axes for way, label in (("across", ax.get_xlabel()), ("up", ax.get_ylabel())) if label]
    said = dict.fromkeys(text.rstrip(".") for text in (*titles, *labels, told) if text)
    return ". ".join(said).replace("\n", ". ").replace(r"\$", "$")


def day_axis(ax: "Axes") -> None:
    """Mark whole days on a time axis, however few it spans: after the drawing, as it looks at the limits."""
    from matplotlib.dates import AutoDateFormatter, AutoDateLocator, DateFormatter, DayLocator

    ax.tick_params(axis="x", labelsize=8)  # so that nine days stand side by side
    first, last = ax.get_xlim()
    if last - first < FEW_DAYS:
        ax.xaxis.set_major_locator(DayLocator())  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_formatter(DateFormatter("%Y-%m-%d"))  # type: ignore[no-untyped-call]
        return
    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(AutoDateFormatter(locator))  # type: ignore[no-untyped-call]


def log_axis(ax: "Axes") -> None:
    """A logarithmic y axis with plain numbers: after the drawing, as it looks at the limits."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    ax.set_yscale("log")
    low, high = ax.get_ylim()
    # Within a decade, powers of ten would mark one place or none.
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]) if high < 10 * low else LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(lambda value, _place: f"{value:g}")


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
