"""Charts of the portfolio room: a profile's suggestions as bars, with a table beside them."""

from typing import TYPE_CHECKING, Final

import polars as pl

from stock_pipeline.core.charts import BLUE, headline, new_figure, png
from stock_pipeline.core.columns import NAME, PROFILE, RANK, SECTOR, SESSION, SYMBOL
from stock_pipeline.portfolio.risk import VOLATILITY
from stock_pipeline.portfolio.suggest import TOTAL_SCORE, WEIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The columns beside the bars: heading, and place as a fraction of their axes.
_COLUMNS: Final = (("name", 0.0), ("sector", 0.42), ("volatility", 0.78), ("total score", 0.92))
_LETTERS: Final = 30  # of a name or a sector


def suggestion_bars(suggestions: pl.DataFrame, profile: str, count: int = 15) -> bytes:
    """A PNG of the first ``count`` suggestions of ``profile``: a bar for each weight, and in columns beside it name, sector and figures.

    ``suggestions`` holds the rows of one session, of any number of profiles.
    """
    of_profile = suggestions.filter(pl.col(PROFILE) == profile).sort(RANK)
    chosen = of_profile.head(count)
    figure, (ax, beside) = new_figure(width=10.0, height=1.6 + 0.26 * max(chosen.height, 4), columns=2, widths=(2, 3))
    beside.set_axis_off()
    headline(figure, _title(profile, chosen, of_profile.height))
    if chosen.is_empty():
        ax.set_axis_off()
        return png(figure)
    weights = (100 * chosen[WEIGHT]).to_list()
    bars = ax.barh(range(chosen.height), weights, color=BLUE)
    ax.bar_label(bars, [f"{weight:.1f}%" for weight in weights], padding=3, fontsize=8)
    ax.set_yticks(range(chosen.height), chosen[SYMBOL].to_list(), fontsize=8)
    ax.set_xlim(0, 1.2 * max(weights))  # room for the label of the longest
    ax.set_xlabel("weight, %")
    ax.grid(visible=False)
    _write(beside, [tuple(heading for heading, _ in _COLUMNS), *map(_cells, chosen.iter_rows(named=True))])
    for each in (ax, beside):
        each.set_ylim(chosen.height - 0.4, -1.4)
    return png(figure, ", ".join(f"{symbol} {weight:.1f}%" for symbol, weight in zip(chosen[SYMBOL], weights, strict=True)))


def _title(profile: str, chosen: pl.DataFrame, count: int) -> str:
    if chosen.is_empty():
        return f"No stock suits the profile {profile}"
    how_many = f"all {count}" if count == chosen.height else f"the first {chosen.height} of {count}"
    return f"Stocks suggested to the profile {profile} after the close of {chosen[SESSION][0]}, best first: {how_many}"


def _write(ax: "Axes", rows: list[tuple[str, ...]]) -> None:
    """The rows of a table, the first of them its headings, at the heights of the bars."""
    for place, cells in enumerate(rows, -1):
        for (_, across), cell in zip(_COLUMNS, cells, strict=True):
            ax.text(across, place, cell, va="center", fontsize=8, fontweight="bold" if place < 0 else "normal")


def _cells(row: dict[str, object]) -> tuple[str, ...]:
    # A dollar sign would start a formula.
    name, sector = (str(text)[:_LETTERS].replace("$", r"\$") for text in (row[NAME] or row[SYMBOL], row[SECTOR] or "unknown"))
    return name, sector, f"{row[VOLATILITY]:.0%}", f"{row[TOTAL_SCORE]:.2f}"
