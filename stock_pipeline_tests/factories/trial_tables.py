"""Tables made up for the tests of storage, and small payloads for them."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SESSION, SYMBOL, VALUE
from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.storage import Author, Stores, open_stores
from stock_pipeline.storage.reading import Selection, read

DAYS = [date(2012, 1, day) for day in (3, 4, 5, 6, 9, 10)]
NOTE = "note"
SYMBOL_COLUMN = Column(SYMBOL, pl.String, "ticker")
SESSION_COLUMN = Column(SESSION, pl.Date, "session")
VALUE_COLUMN = Column(VALUE, pl.Float64, "figure", nullable=True)

READINGS = TableSchema(
    store="ml",
    room="trial",
    name="readings",
    description="a figure and a note per stock and session",
    columns=(SYMBOL_COLUMN, SESSION_COLUMN, VALUE_COLUMN, Column(NOTE, pl.String, "text", nullable=True)),
    key=(SYMBOL, SESSION),
)
NAMES = TableSchema("ml", "trial", "names", "no session dates it", (SYMBOL_COLUMN, Column(NOTE, pl.String, "text")), (SYMBOL,), None)
VERSIONS = TableSchema(
    store="ml",
    room="trial",
    name="versions",
    description="every version of a figure",
    columns=(
        SYMBOL_COLUMN,
        SESSION_COLUMN,
        VALUE_COLUMN,
        Column(KNOWN_FROM, pl.Date, "night"),
        Column(KNOWN_TO, pl.Date, "night", nullable=True),
    ),
    key=(SYMBOL, SESSION),
    versioned=True,
)
CATALOGUED = TableSchema(
    store="ml",
    room="trial",
    name="catalogued",
    description="columns from a catalogue",
    columns=(SYMBOL_COLUMN, SESSION_COLUMN, Column("first", pl.Float32, "a feature", nullable=True)),
    key=(SYMBOL, SESSION),
)
MORE_CATALOGUED = replace(CATALOGUED, columns=(*CATALOGUED.columns, Column("second", pl.Float32, "another", nullable=True)))
TABLES = (READINGS, NAMES, VERSIONS, CATALOGUED)

Readings = Mapping[tuple[str, date], tuple[float | None, str | None]]


def author(asset: str = "trial/readings", code_version: str = "1", run_id: str = "run-1", minute: int = 0) -> Author:
    return Author.of_asset(asset, code_version, run_id, datetime(2012, 1, 10, 22, minute))


def readings(rows: Readings) -> pl.DataFrame:
    values = [(symbol, day, value, note) for (symbol, day), (value, note) in rows.items()]
    return pl.DataFrame(values, schema=READINGS.dtypes, orient="row")


def as_rows(frame: pl.DataFrame) -> dict[tuple[str, date], tuple[float | None, str | None]]:
    return {(symbol, day): (value, note) for symbol, day, value, note in frame.iter_rows()}


def make_stores(home: Path) -> Stores:
    """Both stores, with the made-up tables in the ML store."""
    stores = open_stores(home, wait_seconds=5)
    stores.prepare(TABLES)
    return stores


def copied(template: Stores, home: Path) -> Stores:
    """A copy of the stores, which is faster than making them."""
    home.mkdir(parents=True, exist_ok=True)
    for database in (template.market, template.ml):
        shutil.copy(database.path, home / database.path.name)
    return open_stores(home, wait_seconds=5)


def audit_rows(stores: Stores) -> list[tuple[object, ...]]:
    with stores.ml.reader() as connection:
        return connection.execute("SELECT * FROM audit.writes ORDER BY sequence").fetchall()


def stored(stores: Stores, table: TableSchema = READINGS) -> pl.DataFrame:
    with stores.ml.reader() as connection:
        return read(connection, table, Selection())
