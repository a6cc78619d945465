"""The chart of the market_data room: candlesticks."""

from typing import TYPE_CHECKING

import polars as pl

from stock_pipeline.core.charts import BLUE, GREY, ORANGE, headline, new_figure, png
from stock_pipeline.core.columns import CLOSE, HIGH, LOW, OPEN, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.tables import BASIS, RAW

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STOCKS_SHOWN, SESSIONS_SHOWN = 3, 60


def most_traded(bars: pl.DataFrame, count: int = STOCKS_SHOWN) -> list[str]:
    """The symbols with the largest mean turnover."""
    turnover = (pl.col(CLOSE) * pl.col(VOLUME)).mean().alias("turnover")
    ranked = bars.group_by(SYMBOL).agg(turnover).sort("turnover", SYMBOL, descending=[True, False])
    return ranked[SYMBOL].head(count).to_list()


def candlesticks(bars: pl.DataFrame, currency: str) -> bytes:
    """PNG of the last sessions of the most traded stocks, in one time axis: a wick from low to high, a body from open to close.

    Args:
        bars: as a source gives them. A session without a bar of a stock stays empty.
        currency: of the prices, ISO 4217.
    """
    sessions = bars[SESSION].unique().sort().tail(SESSIONS_SHOWN)
    recent = bars.filter(pl.col(SESSION).is_in(sessions.implode()))
    symbols = most_traded(recent)
    figure, axes = new_figure(11, 0.6 + 2.6 * len(symbols), rows=len(symbols))
    places = pl.DataFrame({SESSION: sessions}).with_row_index("place")
    for ax, symbol in zip(axes, symbols, strict=True):
        rows = recent.filter(pl.col(SYMBOL) == symbol).join(places, on=SESSION).sort(SESSION)
        _draw(ax, rows)
        ticks = range(0, sessions.len(), 10)
        ax.set_xticks(ticks, [str(sessions[tick]) for tick in ticks], fontsize=7)
        ax.set_xlim(-1, sessions.len())
        ax.set_ylabel(f"price, {currency}")
        headline(ax, f"{symbol}, {_kind_of_prices(rows)}: last close {rows[CLOSE][-1]:,.2f} {currency}")
    headline(figure, _title(sessions, symbols))
    return png(figure)


def _draw(ax: "Axes", rows: pl.DataFrame) -> None:
    colours = [BLUE if rise else ORANGE for rise in rows.select(pl.col(CLOSE) >= pl.col(OPEN)).to_series()]
    ax.vlines(rows["place"], rows[LOW], rows[HIGH], colors=GREY, linewidth=0.8)
    bottom, body = rows.select(pl.min_horizontal(OPEN, CLOSE).alias("bottom"), (pl.col(CLOSE) - pl.col(OPEN)).abs().alias("body"))
    # The edge shows a session that closes where it opened.
    ax.bar(rows["place"], body, bottom=bottom, color=colours, edgecolor=colours, linewidth=0.8, width=0.7)


def _kind_of_prices(rows: pl.DataFrame) -> str:
    return "as traded" if (rows[BASIS] == RAW).all() else "adjusted for splits"


def _title(sessions: pl.Series, symbols: list[str]) -> str:
    span = f"{sessions.len()} sessions to {sessions[-1]}"
    return f"Daily bars of the most traded stocks, {span}: {', '.join(symbols)}\nBlue: the close is at or above the open. Orange: below."
