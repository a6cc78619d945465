"""Charts of the performance room: a metric of each session, cumulated, so that a steady slope means steady skill."""

from typing import TYPE_CHECKING

import polars as pl

from stock_pipeline.core.charts import new_figure, png
from stock_pipeline.core.columns import MODEL, RANK_IC, SESSION
from stock_pipeline.performance.log import SESSION_RETURN
from stock_pipeline.performance.tables import LIVE, ORIGIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cumulative_rank_ic(performance: pl.DataFrame) -> bytes:
    """A PNG of the cumulated daily rank IC, a line per model: solid where live, dashed where out of fold.

    ``performance`` holds rows of ``DAILY_PERFORMANCE``. Trainings of one model that cover the same session are averaged.
    """
    daily = performance.group_by(MODEL, ORIGIN, SESSION).agg(pl.col(RANK_IC).mean()).sort(MODEL, ORIGIN, SESSION)
    figure, (ax,) = new_figure()
    colours = {model: f"C{i}" for i, model in enumerate(daily[MODEL].unique().sort())}
    for (model, origin), line in daily.partition_by(MODEL, ORIGIN, as_dict=True, maintain_order=True).items():
        mean = line[RANK_IC].mean()
        label = f"{model}, {str(origin).replace('_', ' ')}" + (f" (mean {mean:.3f})" if isinstance(mean, float) else "")
        style = "-" if origin == LIVE else "--"
        cumulated = line[RANK_IC].fill_null(0.0).cum_sum().to_numpy()
        ax.plot(line[SESSION].to_numpy(), cumulated, style, color=colours[str(model)], linewidth=1.3, label=label)
    return _cumulated(figure, ax, "rank IC, cumulated", "Rank IC by session" if daily.height else None)


def cumulative_return(daily: pl.DataFrame) -> bytes:
    """A PNG of the session returns of each model's top decile, after costs, added up; ``daily`` is of ``log.top_decile_by_session``."""
    figure, (ax,) = new_figure()
    for (model,), line in daily.sort(MODEL, SESSION).partition_by(MODEL, as_dict=True, maintain_order=True).items():
        mean = 1e4 * line[SESSION_RETURN].to_numpy().mean()
        cumulated = 100 * line[SESSION_RETURN].cum_sum().to_numpy()
        ax.plot(line[SESSION].to_numpy(), cumulated, linewidth=1.3, label=f"{model} ({mean:+.1f} bp a session)")
    return _cumulated(figure, ax, "return, added up, %", "Top decile, bought at the next open, after costs" if daily.height else None)


def _cumulated(figure: "Figure", ax: "Axes", unit: str, title: str | None) -> bytes:
    """The chart of lines that start at zero, finished; without a ``title`` there is no line."""
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set_ylabel(unit)
    ax.set_title(title or "no outcomes yet", fontsize=10)
    if title:
        ax.legend(fontsize=8, frameon=False)
    return png(figure)
