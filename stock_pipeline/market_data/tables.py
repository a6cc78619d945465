"""The tables of the market store."""

from functools import partial

import polars as pl

from stock_pipeline.core.columns import (
    ADJ_CLOSE,
    AS_OF,
    CLOSE,
    HIGH,
    INDUSTRY,
    KNOWN_FROM,
    KNOWN_TO,
    LOW,
    NAME,
    OPEN,
    SECTOR,
    SESSION,
    SOURCE,
    SYMBOL,
    VALUE,
    VOLUME,
)
from stock_pipeline.core.reports import QUARTER, YEAR
from stock_pipeline.core.table_schema import Column, TableSchema

KIND = "kind"
CAPTURED = "captured"  # the day on which the source said so; null where it does not report that
CURRENCY = "currency"  # ISO 4217; null where the source does not report it
EXCHANGE = "exchange"  # where the instrument is listed, in the source's own words
CONTRACT = "contract"  # the source's own number for the instrument, which outlives a change of its symbol
BASIS = "basis"  # what the prices of a bar are: RAW or SPLIT
RAW, SPLIT_ADJUSTED = "raw", "split"  # as traded; or adjusted for every split until they were reported
PERIOD_END = "period_end"
PERIOD = "period"  # QUARTER or YEAR
ITEM = "item"
SPLIT, DIVIDEND = "split", "dividend"  # kinds of corporate actions
INSTRUMENT = "instrument"  # what is traded, whatever its symbol at the time
FIRST, LAST = "first_session", "last_session"
ACTIONS_KNOWN = "actions_known"
ATTEMPT = "attempt"
REASON = "reason"
FLAG = "flag"
FLAGGED_ON, CLEARED_ON = "flagged_on", "cleared_on"
CONFIRMED_BY = "confirmed_by"
BY_HAND = "hand"  # confirmed by a person
DELISTED_ON = "delisted_on"

_SYMBOL = Column(SYMBOL, pl.String, "ticker symbol on its exchange")
_SOURCE = Column(SOURCE, pl.String, "source that the row came from")
_ORIGIN = (
    _SOURCE,
    Column(KNOWN_FROM, pl.Date, "first night on which this version of the row was known"),
    Column(KNOWN_TO, pl.Date, "first night on which it no longer held; null while it holds", nullable=True),
)

_table = partial(TableSchema, store="market", room="market_data")

DAILY_BARS = _table(
    name="daily_bars",
    description="Raw daily bars as traded, every version of each with the nights on which it was known.",
    columns=(
        _SYMBOL,
        Column(SESSION, pl.Date, "exchange session of the bar"),
        Column(OPEN, pl.Float64, "first price, in the instrument's currency", minimum=0),
        Column(HIGH, pl.Float64, "highest price", minimum=0),
        Column(LOW, pl.Float64, "lowest price", minimum=0),
        Column(CLOSE, pl.Float64, "last price", minimum=0),
        Column(VOLUME, pl.Float64, "shares traded", minimum=0),
        Column(ADJ_CLOSE, pl.Float64, "close adjusted for splits and dividends as the source gave it", nullable=True),
        Column(BASIS, pl.String, "raw: as traded; split: adjusted for the splits until it was reported", allowed=(RAW, SPLIT_ADJUSTED)),
        Column(ACTIONS_KNOWN, pl.Boolean, "whether the source reports splits and dividends, so that a jump is a move of the price"),
        *_ORIGIN,
    ),
    key=(SYMBOL, SESSION),
    versioned=True,
)

CORPORATE_ACTIONS = _table(
    name="corporate_actions",
    description="Splits and dividends by ex-session, every version of each.",
    columns=(
        _SYMBOL,
        Column(SESSION, pl.Date, "ex-session: the first session that trades without the entitlement"),
        Column(KIND, pl.String, "what happened", allowed=(SPLIT, DIVIDEND)),
        Column(VALUE, pl.Float64, "new shares per old share (split) or cash per share (dividend)", minimum=0),
        *_ORIGIN,
    ),
    key=(SYMBOL, SESSION, KIND),
    versioned=True,
)

INSTRUMENTS = _table(
    name="instruments",
    description="What is traded, delisted instruments included.",
    columns=(
        Column(INSTRUMENT, pl.String, "stable name of the instrument: its first symbol, with the first session where that was taken"),
        Column(SYMBOL, pl.String, "ticker symbol under which it trades, or traded last"),
        Column(NAME, pl.String, "name of the company", nullable=True),
        Column(EXCHANGE, pl.String, "where it is listed", nullable=True),
        Column(CURRENCY, pl.String, "currency of its prices, ISO 4217", nullable=True),
        Column(SECTOR, pl.String, "sector", nullable=True),
        Column(INDUSTRY, pl.String, "industry", nullable=True),
        Column(CONTRACT, pl.String, "the broker's number for it, which outlives a change of symbol", nullable=True),
        Column(DELISTED_ON, pl.Date, "session on whose night it was found to be delisted", nullable=True),
        _SOURCE,
    ),
    key=(INSTRUMENT,),
    session_column=None,
)

SYMBOL_HISTORY = _table(
    name="symbol_history",
    description="Which instrument a symbol stood for, and when: renamed, delisted and reused symbols.",
    columns=(
        _SYMBOL,
        Column(FIRST, pl.Date, "first session under this symbol"),
        Column(LAST, pl.Date, "last session under this symbol; null while it is in use", nullable=True),
        Column(INSTRUMENT, pl.String, "the instrument"),
    ),
    key=(SYMBOL, FIRST),
    session_column=FIRST,
)

UNIVERSE_MEMBERS = _table(
    name="universe_members",
    description="The members of the universe, from which session to which.",
    columns=(
        _SYMBOL,
        Column(FIRST, pl.Date, "first day of membership"),
        Column(LAST, pl.Date, "last day of membership; null while it lasts", nullable=True),
    ),
    key=(SYMBOL, FIRST),
    session_column=FIRST,
)

FUNDAMENTALS = _table(
    name="fundamentals",
    description="What companies reported, one figure a row, every version with the nights on which it was known.",
    columns=(
        _SYMBOL,
        Column(PERIOD_END, pl.Date, "last day of the period reported on"),
        Column(PERIOD, pl.String, "length of the period", allowed=(QUARTER, YEAR)),
        Column(ITEM, pl.String, "what is reported, such as revenue or equity"),
        Column(VALUE, pl.Float64, "the figure: money in the currency, or a number of shares"),
        Column(CURRENCY, pl.String, "currency, ISO 4217", nullable=True),
        *_ORIGIN,
    ),
    key=(SYMBOL, PERIOD_END, PERIOD, ITEM),
    session_column=KNOWN_FROM,
    versioned=True,
)

QUARANTINED_BARS = _table(
    name="quarantined_bars",
    description="Bars that a quality rule refused, as the source gave them, with the reason.",
    columns=(
        Column("row", pl.String, "the refused row in one line; names it"),
        Column(SYMBOL, pl.String, "ticker symbol", nullable=True),
        Column(SESSION, pl.Date, "session that the source gave", nullable=True),
        Column(REASON, pl.String, "rule that refused the bar"),
        _SOURCE,
        Column(AS_OF, pl.Date, "session on whose night the bar was first refused"),
    ),
    key=("row", SOURCE),
    session_column=None,
)

BAR_FLAGS = _table(
    name="bar_flags",
    description="Bars that are kept and suspect, with the rule that flags them.",
    columns=(
        _SYMBOL,
        Column(SESSION, pl.Date, "session of the suspect bar"),
        Column(FLAG, pl.String, "rule that flags the bar"),
        Column(VALUE, pl.Float64, "what the rule measured, such as sessions missing or the ratio of two prices"),
        Column(FLAGGED_ON, pl.Date, "session on whose night the flag was raised"),
        Column(CLEARED_ON, pl.Date, "session on whose night it was withdrawn; null while it stands", nullable=True),
        Column(CONFIRMED_BY, pl.String, "who says that the bar is right all the same: another source, or hand", nullable=True),
    ),
    key=(SYMBOL, SESSION, FLAG),
)

INGESTION_REPORTS = _table(
    name="ingestion_reports",
    description="What each source was asked and gave, as of the session that the run brought the store to.",
    columns=(
        Column(AS_OF, pl.Date, "last session ingested"),
        _SOURCE,
        Column(ATTEMPT, pl.Int32, "1 for the first run of that session, and so on", minimum=1),
        Column("symbols_asked", pl.Int32, "symbols that the source was asked for", minimum=0),
        Column("symbols_succeeded", pl.Int32, "symbols with at least one sound bar and no failure", minimum=0),
        Column("symbols_failed", pl.Int32, "symbols that it could not serve, or whose every bar was refused", minimum=0),
        Column("bars_received", pl.Int64, "bars taken from the source, before any rule", minimum=0),
        Column("bars_accepted", pl.Int64, "bars that passed every rule", minimum=0),
        Column("bars_quarantined", pl.Int64, "bars that a rule refused", minimum=0),
        Column("first_session", pl.Date, "first session among the accepted bars", nullable=True),
        Column("seconds", pl.Float64, "how long the source took", minimum=0),
    ),
    key=(AS_OF, SOURCE, ATTEMPT),
    session_column=AS_OF,
)

INGESTION_FAILURES = _table(
    name="ingestion_failures",
    description="Symbols that a source could not serve, with the reason.",
    columns=(
        Column(AS_OF, pl.Date, "last session ingested"),
        _SYMBOL,
        _SOURCE,
        Column(REASON, pl.String, "the reason in a word or two, such as stale"),
        Column("message", pl.String, "the source's own words"),
    ),
    key=(AS_OF, SYMBOL, SOURCE),
    session_column=AS_OF,
)
