"""A chart of the universe over time."""

import polars as pl

from stock_pipeline.core.charts import BLUE, GREY, new_figure, png
from stock_pipeline.core.columns import SESSION
from stock_pipeline.universe.tables import INSIDE, STATUS


def stocks_by_session(universe: pl.DataFrame) -> bytes:
    """The number of stocks in the universe of each session, and of those that have a bar (PNG).

    Args:
        universe: rows of DAILY_UNIVERSE of one session or more.
    """
    inside = (pl.col(STATUS) == INSIDE).sum().alias("inside")
    counted = universe.group_by(SESSION).agg(pl.len().alias("stored"), inside).sort(SESSION)
    figure, (ax,) = new_figure()
    days, marker = counted[SESSION].to_numpy(), "o" if counted.height == 1 else None
    for name, colour, label in (("stored", GREY, "with a bar"), ("inside", BLUE, "in the universe")):
        ax.plot(days, counted[name].to_numpy(), color=colour, linewidth=1.2, marker=marker, label=label)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("stocks")
    ax.set_title("Stocks in the universe of each session, and stocks stored", loc="left", fontsize=10)
    ax.legend(frameon=False, fontsize=8, loc="lower left")
    return png(figure)
