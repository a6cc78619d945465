"""Charts of the backtest room: equity against the benchmark, and drawdown beneath it."""

import polars as pl

from stock_pipeline.backtest.tables import BENCHMARK_EQUITY, DRAWDOWN, EQUITY
from stock_pipeline.core.charts import GREY, new_figure, png
from stock_pipeline.core.columns import MODEL, SESSION


def equity_curve(daily: pl.DataFrame) -> bytes:
    """A PNG of equity (above, on a logarithmic scale) and drawdown (below), a line per model, the benchmark in grey.

    ``daily`` holds rows of ``DAILY_RETURNS``. The benchmark shown is that of the model with the longest record.
    """
    figure, (above, below) = new_figure(height=5.0, rows=2)
    lines = sorted(daily.sort(MODEL, SESSION).partition_by(MODEL, maintain_order=True), key=lambda line: -line.height)
    for place, line in enumerate(lines):
        sessions = line[SESSION].to_numpy()
        if place == 0:
            above.plot(sessions, line[BENCHMARK_EQUITY].to_numpy(), color=GREY, linewidth=1.3, label="equal weight of all stocks")
        label = f"{line[MODEL][0]} ({line[EQUITY][-1] - 1:+.0%})"
        above.plot(sessions, line[EQUITY].to_numpy(), color=f"C{place}", linewidth=1.3, label=label)
        below.plot(sessions, 100 * line[DRAWDOWN].to_numpy(), color=f"C{place}", linewidth=1.0)
    above.set_yscale("log")
    above.set_ylabel("growth of 1, after costs")
    below.set_ylabel("drawdown, %")
    above.set_title("Backtest, filled at the next open" if lines else "no backtest yet", fontsize=10)
    if lines:
        above.legend(fontsize=8, frameon=False)
    return png(figure)
