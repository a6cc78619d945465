"""The chart of the market_data room: candlesticks."""

import polars as pl

from stock_pipeline.core.charts import GREEN, GREY, RED, new_figure, png
from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN, SESSION, SYMBOL, VOLUME

STOCKS_SHOWN, SESSIONS_SHOWN = 3, 60
THINNEST_BODY = 5e-4  # of the price, so that a session that closes where it opened is still seen


def most_traded(bars: pl.DataFrame, count: int = STOCKS_SHOWN) -> list[str]:
    """The symbols with the largest mean turnover."""
    turnover = (pl.col(CLOSE) * pl.col(VOLUME)).mean().alias("turnover")
    ranked = bars.group_by(SYMBOL).agg(turnover).sort("turnover", SYMBOL, descending=[True, False])
    return ranked[SYMBOL].head(count).to_list()


def candlesticks(bars: pl.DataFrame) -> bytes:
    """PNG of the last sessions of the most traded stocks: a wick from low to high, a body from open to close."""
    last = bars[SESSION].unique().sort().tail(SESSIONS_SHOWN)
    recent = bars.filter(pl.col(SESSION).is_in(last.implode()))
    symbols = most_traded(recent)
    figure, axes = new_figure(11, 2.6 * len(symbols), rows=len(symbols))
    for ax, symbol in zip(axes, symbols, strict=True):
        rows = recent.filter(pl.col(SYMBOL) == symbol).sort(SESSION)
        places = range(rows.height)
        colours = [GREEN if rise else RED for rise in rows.select(pl.col(CLOSE) >= pl.col(OPEN)).to_series()]
        ax.vlines(places, rows[LOW], rows[HIGH], colors=GREY, linewidth=0.8)
        body = rows.select((pl.col(CLOSE) - pl.col(OPEN)).abs().clip(pl.col(CLOSE).mean() * THINNEST_BODY)).to_series()
        ax.bar(places, body, bottom=rows.select(pl.min_horizontal(OPEN, CLOSE)).to_series(), color=colours, width=0.7)
        ticks = list(places)[::10]
        ax.set_xticks(ticks, [str(rows[SESSION][tick]) for tick in ticks], fontsize=7)
        ax.set_title(symbol, loc="left", fontsize=10)
    return png(figure)
