"""The table of the registry."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import AS_OF, MODEL, TRAINING_ID, VERSION
from stock_pipeline.core.table_schema import Column, TableSchema

STATUS: Final = "status"
ACTIVE, RETIRED, REJECTED = "active", "retired", "rejected"
ACTIVE_FROM: Final = "active_from"
ACTIVE_TO: Final = "active_to"

MODEL_VERSIONS: Final = TableSchema(
    store="ml",
    stage="registry",
    name="model_versions",
    description="Every version of every model, which of them is in service, since when, and why.",
    columns=(
        Column(MODEL, pl.String, "model of the catalogue, or stack"),
        Column(VERSION, pl.Int32, "number of the version, counted from 1 within the model", minimum=1),
        Column(TRAINING_ID, pl.String, "training that the version came from"),
        Column(AS_OF, pl.Date, "session whose night's knowledge the training rests on"),
        Column(STATUS, pl.String, "where the version stands", allowed=(ACTIVE, RETIRED, REJECTED)),
        Column(ACTIVE_FROM, pl.Date, "session on whose night it came into service; null where it never did", nullable=True),
        Column(ACTIVE_TO, pl.Date, "session on whose night another took its place; null while it is in service", nullable=True),
        Column("error", pl.Float64, "mean absolute error out of fold, by which versions are compared", nullable=True, minimum=0),
        Column("rank_ic", pl.Float64, "mean rank IC out of fold", nullable=True, minimum=-1, maximum=1),
        Column("reason", pl.String, "why it was promoted or refused"),
    ),
    key=(MODEL, VERSION),
    session_column=AS_OF,
)
