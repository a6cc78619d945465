"""Reading the universe: the one way in which every later room learns which stocks count."""

from datetime import date
from math import sqrt
from typing import Final

import polars as pl

from stock_pipeline.core.columns import IN_UNIVERSE, SESSION, SYMBOL
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.tables import DAILY_UNIVERSE, DAILY_UNIVERSE_ASSET, INSIDE, STATUS

TELLING_STOCKS: Final = 20  # with fewer, ranks tell little
_USUAL_SKILL: Final = 0.02  # a rank IC that a good model of daily returns has
_TWO_SIDED_95: Final = 1.96


def universe_stocks(stores: Stores, first: date | None = None, last: date | None = None) -> pl.DataFrame:
    """The stocks in the universe of each session from ``first`` to ``last``: symbol, session, sorted by them.

    Raises:
        StockPipelineError: the universe has not been made yet.
    """
    if stores.watermark("ml", DAILY_UNIVERSE_ASSET) is None:
        raise StockPipelineError(f"the universe has not been made yet; materialise {DAILY_UNIVERSE_ASSET} first")
    return stores.read(DAILY_UNIVERSE, Selection(columns=(SYMBOL, SESSION), first=first, last=last, equals={STATUS: [INSIDE]}))


def of_universe(stores: Stores, rows: pl.DataFrame) -> pl.DataFrame:
    """Of ``rows`` (symbol, session, ...) those of stocks in the universe of their session, in their order."""
    return rows.join(_beside(stores, rows), on=[SYMBOL, SESSION], how="semi", maintain_order="left")


def with_universe(stores: Stores, rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` (symbol, session, ...), in their order, with ``in_universe``: whether the stock is in the universe of the session."""
    inside = _beside(stores, rows).with_columns(pl.lit(value=True).alias(IN_UNIVERSE))
    joined = rows.join(inside, on=[SYMBOL, SESSION], how="left", maintain_order="left")
    return joined.with_columns(pl.col(IN_UNIVERSE).fill_null(value=False))


def _beside(stores: Stores, rows: pl.DataFrame) -> pl.DataFrame:
    first, last = rows[SESSION].min(), rows[SESSION].max()
    if not isinstance(first, date) or not isinstance(last, date):
        return rows.select(SYMBOL, SESSION)
    return universe_stocks(stores, first, last)


def note_on_universe(stores: Stores) -> str | None:
    """``note_on_few_stocks`` of the last session that has been made; None where there is none."""
    last = stores.read(DAILY_UNIVERSE, Selection(columns=(STATUS,), latest=True))
    return None if last.is_empty() else note_on_few_stocks(int((last[STATUS] == INSIDE).sum()))


def note_on_few_stocks(stocks: int) -> str | None:
    """How little ranks of so few stocks can tell, in one sentence; None from ``TELLING_STOCKS`` on.

    Of scores without skill the rank IC of one session has a standard deviation of 1 / sqrt(stocks - 1) [Kendall, 1948, Rank
    correlation methods]; so many sessions must be averaged until a rank IC of 0.02 lies 1.96 of its errors above 0.
    """
    if stocks >= TELLING_STOCKS:
        return None
    if stocks < 2:
        return f"{stocks} stock in the universe cannot be ranked: ranks need others to compare with"
    sessions = (_TWO_SIDED_95 / _USUAL_SKILL) ** 2 / (stocks - 1)
    return (
        f"only {stocks} stocks are in the universe: by luck alone a session's rank IC is off by {1 / sqrt(stocks - 1):.2f}, so that a "
        f"model as good as they get ({_USUAL_SKILL}) is told from luck after {sessions:,.0f} sessions, {sessions / 252:.0f} years"
    )
