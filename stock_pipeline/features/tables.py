"""The table of features: one column per catalogue entry."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.features.catalogue import CATALOGUE
from stock_pipeline.features.fundamental_ratios import (
    DEBT_TO_EQUITY,
    MARKET_VALUE,
    NET_MARGIN,
    OPERATING_MARGIN,
    PB,
    PE,
    RATIOS,
    REVENUE_GROWTH,
    ROE,
)

RATIO_MEANINGS: Final = {
    PE: "market value over the net income of twelve months, where that is positive and in the currency of the close",
    PB: "market value over equity, where that is positive and in the currency of the close",
    ROE: "net income of twelve months over equity, where that is positive",
    OPERATING_MARGIN: "operating income over revenue, of twelve months",
    NET_MARGIN: "net income over revenue, of twelve months",
    REVENUE_GROWTH: "revenue of the last quarter or year over that of the same period a year before, less one",
    DEBT_TO_EQUITY: "debt over equity, where that is positive",
    MARKET_VALUE: "close times shares, in the currency of the close; null where the close is adjusted for a later split",
}

DAILY_FEATURES: Final = TableSchema(
    store="ml",
    stage="features",
    name="daily_features",
    description="What the bars up to a session say of each stock on it: ratios and ranks, null where the history is too short",
    columns=(
        Column(SYMBOL, pl.String, "ticker"),
        Column(SESSION, pl.Date, "the session at whose close the features are known"),
        *(Column(feature.name, pl.Float32, feature.formula, nullable=True) for feature in CATALOGUE),
    ),
    key=(SYMBOL, SESSION),
    open_columns=True,
)

FUNDAMENTAL_RATIOS: Final = TableSchema(
    store="ml",
    stage="features",
    name="fundamental_ratios",
    description="What reports known on the night of a session say of each company at that session's close",
    columns=(
        Column(SYMBOL, pl.String, "ticker"),
        Column(SESSION, pl.Date, "the session at whose close the ratios are known"),
        *(Column(name, pl.Float64, RATIO_MEANINGS[name], nullable=True) for name in RATIOS),
    ),
    key=(SYMBOL, SESSION),
)
