"""The tables of the market store."""

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
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.market_data.corporate_actions import DIVIDEND, SPLIT
from stock_pipeline.market_data.sources.source import KIND

_SYMBOL = Column(SYMBOL, pl.String, "ticker symbol on its exchange")
_SOURCE = Column(SOURCE, pl.String, "source that the row came from")
_KNOWN_FROM = Column(KNOWN_FROM, pl.Date, "first night on which this version of the row was known")
_KNOWN_TO = Column(KNOWN_TO, pl.Date, "first night on which it no longer held; null while it holds", nullable=True)

DAILY_BARS = TableSchema(
    store="market",
    stage="market_data",
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
        _SOURCE,
        _KNOWN_FROM,
        _KNOWN_TO,
    ),
    key=(SYMBOL, SESSION),
    versioned=True,
)

CORPORATE_ACTIONS = TableSchema(
    store="market",
    stage="market_data",
    name="corporate_actions",
    description="Splits and dividends by ex-session, every version of each.",
    columns=(
        _SYMBOL,
        Column(SESSION, pl.Date, "ex-session: the first session that trades without the entitlement"),
        Column(KIND, pl.String, "what happened", allowed=(SPLIT, DIVIDEND)),
        Column(VALUE, pl.Float64, "new shares per old share (split) or cash per share (dividend)", minimum=0),
        _SOURCE,
        _KNOWN_FROM,
        _KNOWN_TO,
    ),
    key=(SYMBOL, SESSION, KIND),
    versioned=True,
)

INSTRUMENTS = TableSchema(
    store="market",
    stage="market_data",
    name="instruments",
    description="What is traded under a symbol.",
    columns=(
        _SYMBOL,
        Column(NAME, pl.String, "name of the company", nullable=True),
        Column(SECTOR, pl.String, "sector", nullable=True),
        Column(INDUSTRY, pl.String, "industry", nullable=True),
        _SOURCE,
    ),
    key=(SYMBOL,),
    session_column=None,
)

QUARANTINED_BARS = TableSchema(
    store="market",
    stage="market_data",
    name="quarantined_bars",
    description="Bars that a quality rule refused, as the source gave them, with the reason.",
    columns=(
        Column("row", pl.String, "the refused row in one line; names it"),
        Column(SYMBOL, pl.String, "ticker symbol", nullable=True),
        Column(SESSION, pl.Date, "session that the source gave", nullable=True),
        Column("reason", pl.String, "rule that refused the bar"),
        _SOURCE,
        Column(AS_OF, pl.Date, "session on whose night the bar was first refused"),
    ),
    key=("row", SOURCE),
    session_column=None,
)

INGESTION_REPORTS = TableSchema(
    store="market",
    stage="market_data",
    name="ingestion_reports",
    description="What each source gave, as of the session that it brought the store to.",
    columns=(
        Column(AS_OF, pl.Date, "last session ingested"),
        _SOURCE,
        Column("symbols", pl.Int32, "symbols with at least one sound bar", minimum=0),
        Column("symbols_failed", pl.Int32, "symbols whose every bar was refused", minimum=0),
        Column("bars_received", pl.Int64, "bars that the source gave", minimum=0),
        Column("bars_accepted", pl.Int64, "bars that passed every rule", minimum=0),
        Column("bars_quarantined", pl.Int64, "bars that a rule refused", minimum=0),
        Column("first_session", pl.Date, "first session among the accepted bars"),
    ),
    key=(AS_OF, SOURCE),
    session_column=AS_OF,
)
