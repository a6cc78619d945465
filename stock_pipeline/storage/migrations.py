"""Numbered migrations: SQL that rewrites what is stored, each applied once, in order, in one transaction.

A migration is a file ``migrations/<store>/NNNN_name.sql``. Its first line may name the tables that it rewrites, as in
``-- rewrites models.trainings, models.metrics``: where a store has none of them yet, there is nothing to rewrite. The ledger remembers
the hash of each one applied, so that a file changed afterwards is noticed. Tables and columns that are missing need no migration.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

import duckdb

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.table_schema import StoreName
from stock_pipeline.storage.database import Database
from stock_pipeline.storage.ddl import table_identifier
from stock_pipeline.storage.reading import stored_columns
from stock_pipeline.storage.tables import MIGRATIONS

REWRITES = re.compile(r"-- rewrites (?P<tables>\w+\.\w+(, \w+\.\w+)*)\s*\n")


@dataclass(frozen=True)
class Migration:
    """One step of a store."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Hash of the statements, by which a later change is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def rewrites(self) -> list[str]:
        """The tables that it says it rewrites; none where it applies to every store."""
        named = REWRITES.match(self.sql)
        return named["tables"].split(", ") if named else []


def migrations_of(store: StoreName) -> list[Migration]:
    """The migrations of a store in order.

    Raises:
        StockPipelineError: the numbers do not run 1, 2, 3 ...
    """
    folder = files("stock_pipeline.storage") / "migrations" / store
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql")) if folder.is_dir() else []
    steps = [Migration(int(name[:4]), name[5:-4], (folder / name).read_text(encoding="utf-8")) for name in found]
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise StockPipelineError(f"the migrations of {store} are not numbered 1, 2, 3 ...: {found}")
    return steps


def missing_migrations(connection: duckdb.DuckDBPyConnection, database: Database) -> list[Migration]:
    """The migrations that have not been applied to the store yet.

    Raises:
        StockPipelineError: a migration applied earlier has been changed, or the store is newer than this program.
    """
    steps, ledger = migrations_of(database.store), f"SELECT number, sha256 FROM {table_identifier(MIGRATIONS)} ORDER BY number"  # noqa: S608
    applied = connection.execute(ledger).fetchall() if stored_columns(connection, MIGRATIONS) else []
    if len(applied) > len(steps):
        raise StockPipelineError(f"{database.path} has migration {applied[-1][0]}, which this version does not know; install a newer one")
    for (number, sha256), step in zip(applied, steps, strict=False):
        if sha256 != step.sha256:
            raise StockPipelineError(f"migration {number} ({step.name}) was changed after {database.path} had applied it; restore the file")
    return steps[len(applied) :]


def apply(connection: duckdb.DuckDBPyConnection, step: Migration) -> None:
    """Apply a migration, and record it in the ledger."""
    known = {f"{stage}.{name}" for stage, name in connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()}
    if not step.rewrites or known.intersection(step.rewrites):
        connection.execute(step.sql)
    connection.execute(f"INSERT INTO {table_identifier(MIGRATIONS)} VALUES (?, ?, ?)", [step.number, step.name, step.sha256])  # noqa: S608
