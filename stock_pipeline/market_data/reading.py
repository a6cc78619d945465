"""Reading the market store as of a night: every instrument under the symbol that it bore last by then."""

from datetime import date

import polars as pl

from stock_pipeline.core.columns import (
    CLOSE,
    CONFIRMED,
    INDUSTRY,
    KNOWN_FROM,
    KNOWN_TO,
    NAME,
    PRICES,
    SECTOR,
    SESSION,
    SUSPECT,
    SYMBOL,
    VALUE,
    VOLUME,
)
from stock_pipeline.market_data import tables
from stock_pipeline.market_data.adjustments import adjust, with_factors
from stock_pipeline.market_data.flags import JUMP_FLAG
from stock_pipeline.market_data.membership import member_periods
from stock_pipeline.market_data.symbol_history import (
    BORNE,
    reporting_instruments,
    shown_symbols,
    under_latest_symbol,
    with_instruments,
)
from stock_pipeline.settings import QualitySettings
from stock_pipeline.storage import Stores
from stock_pipeline.storage.reading import Selection

# What bars are read from, adjusted or not: under the symbol that their instrument bore last.
BAR_TABLES = (tables.DAILY_BARS, tables.CORPORATE_ACTIONS, tables.SYMBOL_HISTORY)
# Those, and which of the bars are suspect or confirmed: what prices are read from.
JUDGED_BAR_TABLES = (*BAR_TABLES, tables.BAR_FLAGS)

ACTION_COLUMNS = (SYMBOL, SESSION, tables.KIND, VALUE)
BAR_COLUMNS = (SYMBOL, SESSION, *PRICES, VOLUME, tables.BASIS, tables.ACTIONS_KNOWN)
REPORT_COLUMNS = (tables.PERIOD_END, tables.PERIOD, tables.ITEM, VALUE, tables.CURRENCY)


def raw_bars(stores: Stores, known_on: date, first: date | None = None) -> pl.DataFrame:
    """Bars as reported from ``first`` on, as they were known on the night of ``known_on``.

    Returns:
        symbol, session, open, high, low, close, volume, basis and actions_known, sorted by symbol and session.
    """
    bars = stores.read(tables.DAILY_BARS, Selection(columns=BAR_COLUMNS, first=first, last=known_on, known_on=known_on))
    return under_symbols_of(stores, bars, known_on)


def actions_known(stores: Stores, known_on: date, first: date | None = None) -> pl.DataFrame:
    """Corporate actions with ex-sessions from ``first`` on, as they were known on the night of ``known_on``."""
    actions = stores.read(tables.CORPORATE_ACTIONS, Selection(columns=ACTION_COLUMNS, first=first, last=known_on, known_on=known_on))
    return under_symbols_of(stores, actions, known_on)


def under_symbols_of(stores: Stores, rows: pl.DataFrame, known_on: date) -> pl.DataFrame:
    """``rows`` (symbol, session, ...) of each instrument under the one symbol that it bore last on the night of ``known_on``.

    See ``symbol_history.under_latest_symbol``.
    """
    return under_latest_symbol(rows, stores.read(tables.SYMBOL_HISTORY), known_on)


def adjusted_bars(stores: Stores, known_on: date, quality: QualitySettings, first: date | None = None) -> pl.DataFrame:
    """Adjusted bars from the bars and actions that were known on a night, suspect ones without prices; see ``adjustments.adjust``.

    Args:
        stores: the stores.
        known_on: the session whose night counts.
        quality: for the limits beyond which a bar jumps and beyond which it is suspect.
        first: the first session to read; None reads all.
    """
    bars = with_judgements(stores, raw_bars(stores, known_on, first), known_on, quality.suspect_ratio)
    return adjust(bars, actions_known(stores, known_on, first), quality.jump_ratio)


def bars_with_factors(stores: Stores, known_on: date, quality: QualitySettings, first: date | None = None) -> pl.DataFrame:
    """Bars with their price and share factors, as known on a night, suspect ones without prices; see ``adjustments.with_factors``.

    Args:
        stores, known_on, quality, first: as for ``adjusted_bars``.
    """
    bars = with_judgements(stores, raw_bars(stores, known_on, first), known_on, quality.suspect_ratio)
    return with_factors(bars, actions_known(stores, known_on, first), quality.jump_ratio)


def judged_jumps(stores: Stores, known_on: date, suspect_ratio: float, first: date | None = None) -> pl.DataFrame:
    """The bars whose close moved far from the bar before without an action that explains it, as judged on the night of ``known_on``.

    Args:
        stores: the stores.
        known_on: the session whose night counts.
        suspect_ratio: for example 5; moves below ``quality.jump_ratio`` are no jumps, whatever it is.
        first: the first session to read; None reads all.

    Returns:
        symbol, session, suspect (the move is beyond ``suspect_ratio``, and no other source and no person has confirmed it) and
        confirmed (the move is right: a person says so, or it is beyond ``suspect_ratio`` and another source has the same close).
    """
    columns = (SYMBOL, SESSION, VALUE, tables.FLAGGED_ON, tables.CLEARED_ON, tables.CONFIRMED_BY)
    flags = stores.read(tables.BAR_FLAGS, Selection(columns=columns, first=first, last=known_on, equals={tables.FLAG: [JUMP_FLAG]}))
    standing = pl.col(tables.CLEARED_ON).is_null() | (pl.col(tables.CLEARED_ON) > known_on)
    beyond = (pl.col(VALUE) > suspect_ratio) | (pl.col(VALUE) < 1 / suspect_ratio)
    by = pl.col(tables.CONFIRMED_BY)
    # That two sources have one close says nothing of splits, of which smaller jumps mostly come where no source reports any.
    confirmed = (by == tables.BY_HAND) | (by.is_not_null() & beyond)
    judged = flags.filter((pl.col(tables.FLAGGED_ON) <= known_on) & standing).select(
        SYMBOL, SESSION, (beyond & by.is_null()).alias(SUSPECT), confirmed.fill_null(value=False).alias(CONFIRMED)
    )
    return under_symbols_of(stores, judged, known_on)


def with_judgements(stores: Stores, bars: pl.DataFrame, known_on: date, suspect_ratio: float) -> pl.DataFrame:
    """The bars (symbol, session, ...), in their order, with ``suspect`` and ``confirmed`` as known on a night; see ``judged_jumps``.

    Args:
        stores: the stores.
        bars: each instrument under the symbol that it bore last by then.
        known_on: the session whose night counts.
        suspect_ratio: see ``judged_jumps``.
    """
    first = bars[SESSION].min()
    judged = judged_jumps(stores, known_on, suspect_ratio, first if isinstance(first, date) else None)
    joined = bars.join(judged, on=[SYMBOL, SESSION], how="left", maintain_order="left")
    return joined.with_columns(pl.col(SUSPECT, CONFIRMED).fill_null(value=False))


def reports_by_instrument(stores: Stores, last: date) -> pl.DataFrame:
    """Every version of the reported figures that was known until the night of ``last``, by instrument instead of symbol.

    A report belongs to the instrument that bore its symbol when it became known (see ``symbol_history.reporting_instruments``), so a
    vendor may list a company's past under any symbol. Where one figure was reported under two symbols, the one known later counts.

    Returns:
        instrument, period_end, period, item, value, currency, known_from and known_to (null while it holds): the versions of one
        figure follow one another, whatever the symbols that they were reported under.
    """
    stored = stores.read(tables.FUNDAMENTALS, Selection(columns=(SYMBOL, *REPORT_COLUMNS, KNOWN_FROM), last=last))
    figure = [tables.INSTRUMENT, tables.PERIOD_END, tables.PERIOD, tables.ITEM]
    named = reporting_instruments(stored, stores.read(tables.SYMBOL_HISTORY), KNOWN_FROM)
    # Of a figure reported on one night under two symbols, the one under the symbol that the instrument then bore counts.
    once = named.sort(*figure, KNOWN_FROM, BORNE, SYMBOL).unique([*figure, KNOWN_FROM], keep="last", maintain_order=True)
    return once.select(tables.INSTRUMENT, *REPORT_COLUMNS, KNOWN_FROM, pl.col(KNOWN_FROM).shift(-1).over(figure).alias(KNOWN_TO))


def actions_by_instrument(stores: Stores, last: date) -> pl.DataFrame:
    """Every version of the corporate actions until the night of ``last``: instrument, session, kind, value, known_from, known_to."""
    columns = (*ACTION_COLUMNS, KNOWN_FROM, KNOWN_TO)
    stored = stores.read(tables.CORPORATE_ACTIONS, Selection(columns=columns, last=last)).filter(pl.col(KNOWN_FROM) <= last)
    return with_instruments(stored, stores.read(tables.SYMBOL_HISTORY)).select(
        tables.INSTRUMENT, SESSION, tables.KIND, VALUE, KNOWN_FROM, KNOWN_TO
    )


def closes_of_their_nights(stores: Stores, first: date, last: date) -> pl.DataFrame:
    """The closes of the sessions from ``first`` to ``last``, each as it was known on the night of its own session.

    Returns:
        symbol (that of the night), instrument, session, close and basis, in no order.
    """
    columns = (SYMBOL, SESSION, CLOSE, tables.BASIS, KNOWN_FROM, KNOWN_TO)
    stored = stores.read(tables.DAILY_BARS, Selection(columns=columns, first=first, last=last))
    known = (pl.col(KNOWN_FROM) <= pl.col(SESSION)) & (pl.col(KNOWN_TO).is_null() | (pl.col(KNOWN_TO) > pl.col(SESSION)))
    named = with_instruments(stored.filter(known), stores.read(tables.SYMBOL_HISTORY))
    return named.select(SYMBOL, tables.INSTRUMENT, SESSION, CLOSE, tables.BASIS)


def particulars(stores: Stores, known_on: date) -> pl.DataFrame:
    """Name, sector and industry of every instrument under the symbol of ``known_on``: symbol, name, sector, industry."""
    stored = stores.read(tables.INSTRUMENTS, Selection(columns=(tables.INSTRUMENT, NAME, SECTOR, INDUSTRY)))
    history = stores.read(tables.SYMBOL_HISTORY).filter(pl.col(tables.FIRST) <= known_on)
    latest = history.sort(tables.FIRST).group_by(SYMBOL).last().select(SYMBOL, tables.INSTRUMENT)
    return latest.join(stored, on=tables.INSTRUMENT, how="left").drop(tables.INSTRUMENT).sort(SYMBOL)


def members_known(stores: Stores, known_on: date) -> pl.DataFrame | None:
    """The periods of the universe's members, each under the symbol that its instrument bore last on a night.

    Returns:
        symbol, first_session, last_session (null while it lasts); periods may overlap. None where no membership was ever given.
    """
    members = stores.read(tables.UNIVERSE_MEMBERS)
    if members.is_empty():
        return None
    history = stores.read(tables.SYMBOL_HISTORY)
    shown = shown_symbols(history, known_on)
    periods = member_periods(members, history).join(shown, on=tables.INSTRUMENT, how="left")
    return periods.select(pl.coalesce(SYMBOL, tables.INSTRUMENT).alias(SYMBOL), tables.FIRST, tables.LAST)


def sessions_of(stores: Stores, known_on: date) -> list[date]:
    """The sessions that have bars, in order, up to ``known_on``."""
    sessions = stores.read(tables.DAILY_BARS, Selection(columns=(SESSION,), last=known_on, known_on=known_on, distinct=True))
    return sessions[SESSION].to_list()
