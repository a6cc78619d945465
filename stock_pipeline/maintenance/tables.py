"""The table of the maintenance room."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import AS_OF
from stock_pipeline.core.table_schema import Column, TableSchema

STORE: Final = "store"

BACKUPS: Final = TableSchema(
    store="ml",
    room="maintenance",
    name="backups",
    description="The backups that are kept: a consistent copy of each store.",
    columns=(
        Column(AS_OF, pl.Date, "session that the stores had reached"),
        Column(STORE, pl.String, "which store was copied", allowed=("market", "ml")),
        Column("path", pl.String, "the copy, relative to the data directory"),
        Column("size_bytes", pl.Int64, "size of the copy", minimum=1),
        Column("sha256", pl.String, "SHA-256 of the copy"),
    ),
    key=(AS_OF, "path"),
    session_column=AS_OF,
)
