"""Reading the universe: the one way in which every later room learns which stocks count."""

from datetime import date
from math import sqrt
from typing import Final

import polars as pl

from stock_pipeline.core.columns import IN_UNIVERSE, SESSION, SYMBOL
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.scores import MIN_STOCKS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.tables import DAILY_UNIVERSE, DAILY_UNIVERSE_ASSET, INSIDE, STATUS, TOO_FEW

ENOUGH: Final = "enough_stocks"  # the check that fails where there is a ``shortage``
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


def note_on_universe(stores: Stores, minimum: int) -> str | None:
    """What a reader should know of the last session that has been made: too few stocks, or few; None where there are enough, or none yet.

    Args:
        stores: the stores.
        minimum: ``universe.minimum_stocks``.
    """
    last = stores.read(DAILY_UNIVERSE, Selection(latest=True))
    if last.is_empty():
        return None
    return shortage(last, minimum) or note_on_few_stocks(int((last[STATUS] == INSIDE).sum()))


def shortage_now(stores: Stores, minimum: int) -> str | None:
    """``shortage`` of the last session that has been made; None where there is none yet."""
    last = stores.read(DAILY_UNIVERSE, Selection(latest=True)) if stores.exist else DAILY_UNIVERSE.empty()
    return None if last.is_empty() else shortage(last, minimum)


def shortage(of_session: pl.DataFrame, minimum: int) -> str | None:
    """That too few stocks pass for anything to be made of them, and what to do, in one sentence; None where enough do.

    Args:
        of_session: rows of DAILY_UNIVERSE, those of one session, at least one.
        minimum: ``universe.minimum_stocks``.
    """
    if (of_session[STATUS] == INSIDE).any():
        return None
    passing = int((of_session[STATUS] == TOO_FEW).sum())
    return (
        f"{passing} of {of_session.height} stocks with a bar of {of_session[SESSION][0]} pass, and universe.minimum_stocks asks for "
        f"{minimum} ({told_by_status(of_session)}), so that nothing is trained or predicted; bring more stocks, or change the settings "
        "of the universe"
    )


def told_by_status(rows: pl.DataFrame) -> str:
    """How many of the rows have each status, the commonest first, such as "illiquid 3, low_price 1"."""
    counted = rows.group_by(STATUS).len("stocks").sort("stocks", STATUS, descending=[True, False])
    return ", ".join(f"{status} {stocks}" for status, stocks in counted.iter_rows())


def note_on_few_stocks(stocks: int) -> str | None:
    """How little ranks of so few stocks can tell, in one sentence; None from ``TELLING_STOCKS`` on.

    Of scores without skill the rank IC of one session has a standard deviation of 1 / sqrt(stocks - 1) [Kendall, 1948, Rank
    correlation methods]; so many sessions must be averaged until a rank IC of 0.02 lies 1.96 of its errors above 0.
    """
    if stocks >= TELLING_STOCKS:
        return None
    if stocks < MIN_STOCKS:
        return f"only {stocks} stocks are in the universe: a rank IC needs {MIN_STOCKS}, so that no model can be told from luck"
    sessions = (_TWO_SIDED_95 / _USUAL_SKILL) ** 2 / (stocks - 1)
    return (
        f"only {stocks} stocks are in the universe: by luck alone a session's rank IC is off by {1 / sqrt(stocks - 1):.2f}, so that a "
        f"model as good as they get ({_USUAL_SKILL}) is told from luck after {sessions:,.0f} sessions, {sessions / 252:.0f} years"
    )
