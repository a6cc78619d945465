"""A chart of one session's features."""

from datetime import date

import numpy as np
import polars as pl

from stock_pipeline.core.charts import headline, new_figure, png
from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.errors import InputError


def heat_map(features: pl.DataFrame, session: date, order_by: str, stocks: int = 40) -> bytes:
    """The features of a session as a heat map: a row per feature, a column per stock, coloured by rank within the session.

    Args:
        features: symbol, session and numeric columns, as ``compute_features`` returns them.
        session: which session to draw.
        order_by: the feature that orders the stocks from left to right; stocks without it come last.
        stocks: how many stocks to show; of more, evenly spaced ones in that order.

    Returns:
        A PNG file. Nulls are grey.

    Raises:
        InputError: the session has no features.
    """
    rows = features.filter(pl.col(SESSION) == session)
    if rows.is_empty():
        raise InputError(f"no stock has features in session {session}; choose a session with bars and compute its features first")
    names = [name for name in features.columns if name not in (SYMBOL, SESSION)]
    ranks = rows.select(SYMBOL, *((pl.col(name).rank() - 0.5) / pl.col(name).count() for name in names))
    ordered = ranks.sort(order_by, SYMBOL, nulls_last=True)
    shown = ordered[np.unique(np.linspace(0, ordered.height - 1, stocks).round().astype(int)).tolist()]
    title = f"Features of session {session} by rank: {shown.height} of {ordered.height} stocks in the order of {order_by}"
    return _draw(shown[SYMBOL].to_list(), names, shown.select(names).to_numpy().T, title)


def _draw(symbols: list[str], names: list[str], ranks: np.ndarray, title: str) -> bytes:
    figure, (ax,) = new_figure(width=3.5 + 0.2 * max(len(symbols), 20), height=1.5 + 0.19 * len(names))
    ax.set_facecolor("#d5d8dc")
    ax.grid(visible=False)
    image = ax.imshow(ranks.astype(float), aspect="auto", cmap="RdBu_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks(range(len(symbols)), symbols, rotation=90, fontsize=7)
    ax.set_yticks(range(len(names)), names, fontsize=7)
    ax.tick_params(length=0)
    headline(figure, title)
    figure.colorbar(image, ax=ax, shrink=0.5, label="rank within the session, 0 lowest, 1 highest; grey: no value")
    return png(figure)
