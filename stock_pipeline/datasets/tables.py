"""The tables of the datasets room."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import AS_OF, FOLD
from stock_pipeline.core.table_schema import Column, TableSchema

WINDOW: Final = "window"
EXPANDING: Final = "expanding"
ROLLING: Final = "rolling"

WALK_FORWARD_SPLITS: Final = TableSchema(
    store="ml",
    room="datasets",
    name="walk_forward_splits",
    description="Which sessions each fold trained and tested on, one row a fold; a range includes its first and last session.",
    columns=(
        Column(AS_OF, pl.Date, "as-of date of the splits: the last session of which data were known"),
        Column(FOLD, pl.Int32, "number of the fold, from 1, in the order of time", minimum=1),
        Column(
            WINDOW,
            pl.String,
            "expanding: every fold trains from the first session on; rolling: on the last so many before the gap",
            allowed=(EXPANDING, ROLLING),
        ),
        Column("train_from", pl.Date, "first session trained on"),
        Column("train_to", pl.Date, "last session trained on; its labels are known before test_from"),
        Column("test_from", pl.Date, "first session tested on"),
        Column("test_to", pl.Date, "last session tested on"),
        Column("train_sessions", pl.Int32, "sessions trained on", minimum=1),
        Column("test_sessions", pl.Int32, "sessions tested on", minimum=1),
        Column("purge", pl.Int32, "sessions left out because training labels reach over them", minimum=0),
        Column("embargo", pl.Int32, "further sessions left out between training and test", minimum=0),
    ),
    key=(AS_OF, FOLD),
    session_column=AS_OF,
)
