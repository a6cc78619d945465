"""Charts of the performance room: a metric of each session, cumulated, so that a steady slope means steady skill."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from stock_pipeline.core.chart_lines import Line, colours, draw_lines, name_lines
from stock_pipeline.core.charts import day_axis, headline, new_figure, png
from stock_pipeline.core.columns import MODEL, RANK_IC, SESSION
from stock_pipeline.models.catalogue import STACK
from stock_pipeline.performance.log import SESSION_RETURN
from stock_pipeline.performance.tables import LIVE, ORIGIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def cumulative_rank_ic(performance: pl.DataFrame) -> bytes:
    """A PNG of the cumulated daily rank IC, a line per model, the stack emphasised; live and out of fold in axes of their own.

    ``performance`` holds rows of ``DAILY_PERFORMANCE``. Trainings of one model that cover the same session are averaged.
    """
    daily = performance.group_by(MODEL, ORIGIN, SESSION).agg(pl.col(RANK_IC).mean()).sort(MODEL, ORIGIN, SESSION)
    # What was traded on stands above what was tried.
    origins = sorted(daily[ORIGIN].unique(), key=lambda origin: (origin != LIVE, origin))
    figure, axes = new_figure(width=10.0, height=3.6 * max(len(origins), 1), rows=max(len(origins), 1))
    coloured = colours(daily[MODEL].unique().sort().to_list(), STACK)
    told = []
    for ax, origin in zip(axes, origins, strict=False):
        records = daily.filter(pl.col(ORIGIN) == origin).partition_by(MODEL, maintain_order=True)
        lines = [_line(record, record[RANK_IC].cum_sum(), _with_mean(record, RANK_IC, 1.0, "+.3f", "mean"), coloured) for record in records]
        _cumulated(ax, lines, f"Rank IC of each session, {str(origin).replace('_', ' ')}, added up", "rank IC, added up")
        told.append(", ".join(line.name for line in lines))
    if not origins:
        headline(axes[0], "No outcomes yet")
    return png(figure, "; ".join(told))


def cumulative_return(daily: pl.DataFrame) -> bytes:
    """A PNG of the session returns of each model's top decile, after costs, added up; ``daily`` is of ``log.top_decile_by_session``."""
    figure, (ax,) = new_figure(width=10.0)
    if daily.is_empty():
        headline(ax, "No outcomes yet")
        return png(figure)
    records = daily.sort(MODEL, SESSION).partition_by(MODEL, maintain_order=True)
    coloured = colours([record[MODEL][0] for record in records], STACK)
    lines = [
        _line(record, 100 * record[SESSION_RETURN].cum_sum(), _with_mean(record, SESSION_RETURN, 1e4, "+.1f", "bp a session"), coloured)
        for record in records
    ]
    _cumulated(ax, lines, "Return of the top decile, bought at the next open, after costs, added up", "return, added up, %")
    return png(figure, ", ".join(line.name for line in lines))


def _line(record: pl.DataFrame, values: pl.Series, name: str, coloured: dict[str, str]) -> Line:
    model = record[MODEL][0]
    return Line(record[SESSION], values, name, coloured[model], emphasised=model == STACK)


def _with_mean(record: pl.DataFrame, column: str, factor: float, digits: str, unit: str) -> str:
    mean = record[column].mean()
    return f"{record[MODEL][0]} {factor * mean:{digits}} {unit}" if isinstance(mean, float) else f"{record[MODEL][0]}, nothing known"


def _cumulated(ax: "Axes", lines: Sequence[Line], title: str, unit: str) -> None:
    """Lines that start at zero."""
    draw_lines(ax, lines)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set_ylabel(unit)
    headline(ax, title)
    day_axis(ax)
    name_lines(ax, lines)
