"""Lines over time that are told apart: at most six in colour, one of them emphasised, each with its name at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from stock_pipeline.core.charts import BLUE, GREY, INK, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT_SIZE: Final = 8
_APART: Final = 1.3  # from one name to the next, in heights of the letters


@dataclass(frozen=True)
class Line:
    """A line over time."""

    days: pl.Series  # dates, rising
    values: pl.Series  # as many; a null is a gap
    name: str  # as it stands at the end of the line; empty for none
    colour: str
    emphasised: bool = False
    dashed: bool = False


def colours(names: Sequence[str], emphasised: str) -> dict[str, str]:
    """The colour of each name: up to six have their own; of more, all but the emphasised one are muted.

    Args:
        names: what is drawn, each once, in the order in which colours are given.
        emphasised: the one that stands out, in blue whether or not it is among ``names``.
    """
    others = [name for name in names if name != emphasised]
    own = [*SERIES[1:]] if len(names) <= len(SERIES) else [MUTED] * len(others)
    return {emphasised: BLUE} | dict(zip(others, own, strict=False))


def draw_lines(ax: "Axes", lines: Sequence[Line]) -> None:
    """Draw the lines, the emphasised ones above the others; ``name_lines`` then names them."""
    for line in lines:
        ax.plot(
            line.days.to_numpy(),
            line.values.cast(pl.Float64).fill_null(float("nan")).to_numpy(),
            "--" if line.dashed else "-",
            marker="o" if line.values.len() == 1 else None,  # one point makes no line
            color=line.colour,
            linewidth=2.2 if line.emphasised else 1.1,
            zorder=3 if line.emphasised else 2,
        )


def name_lines(ax: "Axes", lines: Sequence[Line]) -> None:
    """Write the name of each line right of the axes, tied to its last value: after the limits and the scale are set.

    Args:
        ax: on which ``draw_lines`` has drawn them.
        lines: those drawn. Names that would overlap are moved apart, in the order of the values.
    """
    named = [(line, *end) for line in lines if line.name and (end := _end(line)) is not None]
    if not named:
        return
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]  # a figure in a figure cannot, and there is none
    box, points = ax.get_window_extent(), np.array([(0.0, value) for _, _, value in named])
    heights = (ax.get_yaxis_transform().transform(points)[:, 1] - box.y0) / box.height
    gap = _APART * FONT_SIZE / 72 * ax.figure.dpi / box.height
    for (line, day, value), height in zip(named, spread(heights, gap), strict=True):
        ax.annotate(
            line.name,
            xy=(day, value),
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            fontsize=FONT_SIZE,
            color=INK if line.colour in (MUTED, GREY) else line.colour,
            fontweight="bold" if line.emphasised else "normal",
            arrowprops={"arrowstyle": "-", "color": line.colour, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 0, "relpos": (0, 0.5)},
        )


def spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """The heights moved apart by at least ``gap``, in their order, within 0 and 1, and as little as that takes (least squares).

    Args:
        heights: 0 to 1, shape (names,).
        gap: of the same unit; where it does not leave room for all, they lie as far apart as there is room.

    Returns:
        Shape (names,), in the order given.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(heights, kind="stable")
    gap = min(gap, 1 / max(len(heights) - 1, 1))
    steps = gap * np.arange(len(heights))
    moved = isotonic_regression(heights[order] - steps).x.clip(0, 1 - steps[-1]) + steps
    placed = np.empty(len(heights))
    placed[order] = moved
    return placed


def _end(line: Line) -> tuple[object, float] | None:
    """The day and the value of the last point of a line."""
    known = line.values.is_not_null() & line.values.is_not_nan()
    if not known.any():
        return None
    last = known.arg_true()[-1]
    return line.days[last], float(line.values[last])
