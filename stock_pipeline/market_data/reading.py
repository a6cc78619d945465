"""Reading the market store as of a night."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import ADJ_CLOSE, PRICES, SESSION, SYMBOL, VOLUME
from stock_pipeline.market_data.prices import adjust
from stock_pipeline.market_data.sources.source import ACTIONS
from stock_pipeline.market_data.tables import CORPORATE_ACTIONS, DAILY_BARS
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

BAR_COLUMNS = (SYMBOL, SESSION, *PRICES, VOLUME, ADJ_CLOSE)


def raw_bars(stores: Stores, known_on: date, first: date | None = None) -> pl.DataFrame:
    """Raw bars from ``first`` on, as they were known on the night of ``known_on``: symbol, session, prices, volume, adj_close."""
    return stores.read(DAILY_BARS, Selection(columns=BAR_COLUMNS, first=first, last=known_on, known_on=known_on))


def actions_known(stores: Stores, known_on: date, first: date | None = None) -> pl.DataFrame:
    """Corporate actions with ex-sessions from ``first`` on, as they were known on the night of ``known_on``."""
    return stores.read(CORPORATE_ACTIONS, Selection(columns=tuple(ACTIONS), first=first, last=known_on, known_on=known_on))


def adjusted_bars(stores: Stores, known_on: date, jump_ratio: float, first: date | None = None) -> pl.DataFrame:
    """Adjusted bars from ``first`` on, of bars and actions as they were known on the night of ``known_on``; see ``prices.adjust``."""
    return adjust(raw_bars(stores, known_on, first), actions_known(stores, known_on, first), jump_ratio)


def sessions_of(stores: Stores, known_on: date) -> list[date]:
    """The sessions that have bars, in order, up to ``known_on``."""
    bars = stores.read(DAILY_BARS, Selection(columns=(SESSION,), last=known_on, known_on=known_on))
    return bars[SESSION].unique().sort().to_list()
