"""The table of the stage: one row per model, training, origin and session."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import MODEL, SESSION, TRAINING_ID
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.models.scores import RANK_IC, STOCKS

ORIGIN: Final = "origin"
LIVE, OUT_OF_FOLD = "live", "out_of_fold"
HIT_RATE: Final = "hit_rate"
LONG_SHORT_RETURN: Final = "long_short_return"

DAILY_PERFORMANCE = TableSchema(
    store="ml",
    stage="performance",
    name="daily_performance",
    description="How well the scores of a training foretold the returns that followed a session.",
    columns=(
        Column(MODEL, pl.String, "model of the catalogue"),
        Column(TRAINING_ID, pl.String, "training that produced the scores"),
        Column(
            ORIGIN,
            pl.String,
            "live: predicted that night; out_of_fold: predicted by a fold that had not seen it",
            allowed=(LIVE, OUT_OF_FOLD),
        ),
        Column(SESSION, pl.Date, "session after whose close the scores were made"),
        Column(STOCKS, pl.Int32, "stocks with both score and outcome", minimum=1),
        Column(
            RANK_IC,
            pl.Float64,
            "Spearman correlation of scores and forward returns; null where undefined",
            nullable=True,
            minimum=-1,
            maximum=1,
        ),
        Column(
            HIT_RATE,
            pl.Float64,
            "share of the stocks with a score other than zero whose return, less the session's mean, has the score's sign",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column(LONG_SHORT_RETURN, pl.Float64, "mean forward return of the best decile less that of the worst, before costs"),
    ),
    key=(MODEL, TRAINING_ID, ORIGIN, SESSION),
)
