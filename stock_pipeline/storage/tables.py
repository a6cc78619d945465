"""The tables of storage itself: writes, watermarks, executions, migrations and views. Every store has them."""

from typing import Final

import polars as pl

from stock_pipeline.core.table_schema import Column, TableSchema

ASSET: Final = "asset"


def _audit(name: str, description: str, key: tuple[str, ...], *columns: Column) -> TableSchema:
    # The store given here does not matter: these tables are used with an open connection to the store meant.
    return TableSchema("ml", "audit", name, description, columns, key, session_column=None)


WRITES: Final = _audit(
    "writes",
    "Every write that changed something.",
    ("sequence",),
    Column("sequence", pl.Int64, "number of the write within its store, from 1", minimum=1),
    Column("run_id", pl.String, "the run that wrote"),
    Column("author_kind", pl.String, "what wrote", allowed=("asset", "person", "job")),
    Column("author", pl.String, "its name"),
    Column("table_name", pl.String, "the table, with its room"),
    Column("written_at", pl.Datetime("us"), "when, UTC"),
    Column("rows_in", pl.Int64, "rows of the payload", minimum=0),
    Column("rows_inserted", pl.Int64, "rows that were not stored before", minimum=0),
    Column("rows_deleted", pl.Int64, "rows that were deleted", minimum=0),
    Column("rows_quarantined", pl.Int64, "rows that were left out as unsound", minimum=0),
    Column("first_session", pl.Date, "earliest session among the rows inserted and deleted", nullable=True),
    Column("content_hash", pl.String, "hash of the payload"),
)
WATERMARKS: Final = _audit(
    "watermarks",
    "The last session that each asset has brought its tables to.",
    (ASSET,),
    Column(ASSET, pl.String, "name of the asset"),
    Column("watermark", pl.Date, "the session"),
    Column("code_version", pl.String, "version of the code that brought them there last"),
    Column("settings", pl.String, "the settings by which it did, as JSON"),
)
EXECUTIONS: Final = _audit(
    "executions",
    "Every execution of an asset, whether or not it changed anything.",
    ("run_id", ASSET, "started_at"),
    Column("run_id", pl.String, "the run"),
    Column(ASSET, pl.String, "name of the asset"),
    Column("started_at", pl.Datetime("us"), "when it began, UTC"),
    Column("finished_at", pl.Datetime("us"), "when it ended, UTC"),
    Column("state", pl.String, "how it ended", allowed=("succeeded", "up_to_date", "failed")),
    Column("rows", pl.Int64, "rows inserted", minimum=0),
    Column("error", pl.String, "why it failed", nullable=True),
    Column("seen_market", pl.Int64, "number of the last write to the market store that it saw", nullable=True),
    Column("seen_ml", pl.Int64, "the same of the ML store", nullable=True),
    Column("seen_market_run", pl.String, "the run of that write to the market store", nullable=True),
    Column("seen_ml_run", pl.String, "the same of the ML store", nullable=True),
    Column("passed", pl.String, "names of its checks that passed, with commas; null where it did not come to them", nullable=True),
    Column("judged_by", pl.String, "digest of the code that judged them", nullable=True),
)
MIGRATIONS: Final = _audit(
    "migrations",
    "The numbered migrations that have been applied.",
    ("number",),
    Column("number", pl.Int32, "number of the migration", minimum=1),
    Column("name", pl.String, "its name"),
    Column("sha256", pl.String, "hash of its file, by which a later change is noticed"),
)
VIEWS: Final = _audit(
    "views",
    "The views that have been made.",
    ("name",),
    Column("name", pl.String, "name of the view, with its room"),
    Column("sha256", pl.String, "hash of its statement, by which a change is noticed"),
)
OWN_TABLES: Final = (WRITES, WATERMARKS, EXECUTIONS, MIGRATIONS, VIEWS)
