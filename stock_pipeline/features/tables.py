"""The table of features: one column per catalogue entry."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.features.catalogue import CATALOGUE

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
