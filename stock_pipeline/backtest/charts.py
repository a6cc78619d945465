"""Charts of the backtest room: equity against the benchmark, and drawdown beneath it."""

import polars as pl

from stock_pipeline.backtest.tables import BENCHMARK_EQUITY, DRAWDOWN, EQUITY
from stock_pipeline.core.chart_lines import Line, colours, draw_lines, name_lines
from stock_pipeline.core.charts import INK, day_axis, headline, log_axis, new_figure, png
from stock_pipeline.core.columns import MODEL, SESSION
from stock_pipeline.models.catalogue import STACK


def equity_curve(daily: pl.DataFrame) -> bytes:
    """A PNG of equity (above, on a logarithmic scale) and drawdown (below), a line per model, the stack emphasised, the benchmark dashed.

    ``daily`` holds rows of ``DAILY_RETURNS``. The benchmark shown is that of the model with the longest record.
    """
    figure, (above, below) = new_figure(width=10.0, height=6.0, rows=2)
    if daily.is_empty():
        headline(above, "No backtest yet")
        return png(figure)
    records = daily.sort(MODEL, SESSION).partition_by(MODEL, maintain_order=True)
    longest = max(records, key=lambda record: record.height)
    coloured = colours([record[MODEL][0] for record in records], STACK)
    benchmark = Line(
        longest[SESSION], longest[BENCHMARK_EQUITY], _named("all stocks, equal weights", longest[BENCHMARK_EQUITY]), INK, dashed=True
    )
    equity = [_line(record, record[EQUITY], coloured, named=True) for record in records]
    draw_lines(above, [benchmark, *equity])
    draw_lines(below, [_line(record, 100 * record[DRAWDOWN], coloured, named=False) for record in records])
    log_axis(above)
    name_lines(above, [benchmark, *equity])
    for ax in (above, below):
        day_axis(ax)
    above.set_ylabel("growth of 1, logarithmic")
    below.set_ylabel("drawdown, %")
    headline(above, "Backtest: growth of 1 after costs, orders filled at the next open")
    headline(below, "Drawdown: below the highest equity so far, in %")
    return png(figure, "At the end: " + ", ".join(line.name for line in (benchmark, *equity)))


def _line(record: pl.DataFrame, values: pl.Series, coloured: dict[str, str], *, named: bool) -> Line:
    model = record[MODEL][0]
    return Line(record[SESSION], values, _named(model, values) if named else "", coloured[model], emphasised=model == STACK)


def _named(name: str, growth: pl.Series) -> str:
    return f"{name} {growth[-1] - 1:+.1%}"
