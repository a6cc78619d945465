"""Reading the market store as of a night: every instrument under the symbol that it bore last by then."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import INDUSTRY, NAME, PRICES, SECTOR, SESSION, SYMBOL, VALUE, VOLUME
from stock_pipeline.market_data.identity import under_latest_symbol
from stock_pipeline.market_data.prices import adjust
from stock_pipeline.market_data.sources.source import BASIS, ITEM, KIND, PERIOD, PERIOD_END
from stock_pipeline.market_data.tables import (
    ACTIONS_KNOWN,
    CORPORATE_ACTIONS,
    DAILY_BARS,
    FIRST,
    FUNDAMENTALS,
    INSTRUMENT,
    INSTRUMENTS,
    SYMBOL_HISTORY,
)
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

ACTION_COLUMNS = (SYMBOL, SESSION, KIND, VALUE)
BAR_COLUMNS = (SYMBOL, SESSION, *PRICES, VOLUME, BASIS, ACTIONS_KNOWN)


def raw_bars(stores: Stores, known_on: date, first: date | None = None) -> pl.DataFrame:
    """Bars as told from ``first`` on, as they were known on the night of ``known_on``.

    Returns:
        symbol, session, open, high, low, close, volume, basis and actions_known, sorted by symbol and session.
    """
    bars = stores.read(DAILY_BARS, Selection(columns=BAR_COLUMNS, first=first, last=known_on, known_on=known_on))
    return under_latest_symbol(bars, stores.read(SYMBOL_HISTORY), known_on)


def actions_known(stores: Stores, known_on: date, first: date | None = None) -> pl.DataFrame:
    """Corporate actions with ex-sessions from ``first`` on, as they were known on the night of ``known_on``."""
    actions = stores.read(CORPORATE_ACTIONS, Selection(columns=ACTION_COLUMNS, first=first, last=known_on, known_on=known_on))
    return under_latest_symbol(actions, stores.read(SYMBOL_HISTORY), known_on)


def adjusted_bars(stores: Stores, known_on: date, jump_ratio: float, first: date | None = None) -> pl.DataFrame:
    """Adjusted bars from ``first`` on, of bars and actions as they were known on the night of ``known_on``; see ``prices.adjust``."""
    return adjust(raw_bars(stores, known_on, first), actions_known(stores, known_on, first), jump_ratio)


def fundamentals_known(stores: Stores, known_on: date) -> pl.DataFrame:
    """Reported figures as they were known on the night of ``known_on``: symbol, period_end, period, item, value."""
    columns = (SYMBOL, PERIOD_END, PERIOD, ITEM, VALUE)
    reported = stores.read(FUNDAMENTALS, Selection(columns=columns, known_on=known_on))
    under = under_latest_symbol(reported.rename({PERIOD_END: SESSION}), stores.read(SYMBOL_HISTORY), known_on)
    return under.rename({SESSION: PERIOD_END})


def particulars(stores: Stores, known_on: date) -> pl.DataFrame:
    """Name, sector and industry of every instrument under the symbol of ``known_on``: symbol, name, sector, industry."""
    told = stores.read(INSTRUMENTS, Selection(columns=(INSTRUMENT, NAME, SECTOR, INDUSTRY)))
    history = stores.read(SYMBOL_HISTORY).filter(pl.col(FIRST) <= known_on)
    latest = history.sort(FIRST).group_by(SYMBOL).last().select(SYMBOL, INSTRUMENT)
    return latest.join(told, on=INSTRUMENT, how="left").drop(INSTRUMENT).sort(SYMBOL)


def sessions_of(stores: Stores, known_on: date) -> list[date]:
    """The sessions that have bars, in order, up to ``known_on``."""
    bars = stores.read(DAILY_BARS, Selection(columns=(SESSION,), last=known_on, known_on=known_on))
    return bars[SESSION].unique().sort().to_list()
