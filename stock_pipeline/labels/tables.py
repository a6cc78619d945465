"""The table of labels."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, SESSION, SYMBOL
from stock_pipeline.core.table_schema import Column, TableSchema

DAILY_LABELS: Final = TableSchema(
    store="ml",
    stage="labels",
    name="daily_labels",
    description="What came after each session: null until it has happened, or where bars are missing or a price leapt",
    columns=(
        Column(SYMBOL, pl.String, "ticker"),
        Column(SESSION, pl.Date, "the session at whose close a prediction would be made"),
        Column(FORWARD_RETURN, pl.Float64, "open two sessions ahead over the next open, less 1", nullable=True, minimum=-1),
        Column(DIRECTION, pl.Int8, "1 where the forward return is positive, otherwise 0", nullable=True, minimum=0, maximum=1),
        Column(
            FORWARD_VOLATILITY,
            pl.Float64,
            "standard deviation of the daily log returns of the sessions ahead, per session",
            nullable=True,
            minimum=0,
        ),
    ),
    key=(SYMBOL, SESSION),
)
