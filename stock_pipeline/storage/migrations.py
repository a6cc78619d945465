"""Numbered migrations: the only place of DDL, each applied once, in order, in one transaction.

A migration is a file ``migrations/<store>/NNNN_name.sql``. The ledger ``audit.migrations`` remembers the hash of each one
applied, so that a file changed afterwards is noticed.
"""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

import duckdb
from filelock import FileLock, Timeout

from stock_pipeline.core.errors import StockPipelineError, StoreBusyError
from stock_pipeline.core.table_schema import StoreName
from stock_pipeline.storage.database import Database

# The files that this process has found to have every migration, so that it need not open them again to see.
_found_current: set[tuple[str, int, int]] = set()

LEDGER = """
CREATE SCHEMA IF NOT EXISTS audit;
CREATE TABLE IF NOT EXISTS audit.migrations (number INTEGER NOT NULL, name VARCHAR NOT NULL, sha256 VARCHAR NOT NULL);
"""


@dataclass(frozen=True)
class Migration:
    """One step of a store's DDL."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Hash of the statement, by which a later change is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(store: StoreName) -> list[Migration]:
    """The migrations of a store in order.

    Raises:
        StockPipelineError: the numbers do not run 1, 2, 3 ...
    """
    folder = files("stock_pipeline.storage") / "migrations" / store
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    steps = [Migration(int(name[:4]), name[5:-4], (folder / name).read_text(encoding="utf-8")) for name in found]
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise StockPipelineError(f"the migrations of {store} are not numbered 1, 2, 3 ...: {found}")
    return steps


def migrate(database: Database) -> list[Migration]:
    """Bring the store up to the last migration and return those applied just now.

    The writing connection is exclusive, so two processes that start together apply each migration once.

    Raises:
        StockPipelineError: a migration applied earlier has been changed, or the store is newer than this program.
        StoreBusyError: another process held the store all the time that we waited.
    """
    steps = migrations_of(database.store)
    if not database.path.exists() and _create(database, steps):
        return steps
    identity = _identity(database)
    if identity in _found_current:
        return []
    applied = _apply(database, steps) if _missing(database, steps) else []
    _found_current.add(identity)
    return applied


def _identity(database: Database) -> tuple[str, int, int]:
    """Which file it is: one put in its place, such as a restored backup, is another."""
    status = database.path.stat()
    return str(database.path.resolve()), status.st_dev, status.st_ino


def _create(database: Database, steps: list[Migration]) -> bool:
    """Make the file with every migration applied; False where another process has just made it.

    DuckDB creates a file before it locks it, and cannot open one that is empty or half made. So the file is made beside
    its place, under a lock, and moved there whole.
    """
    database.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(database.path.with_name(f"{database.path.name}.lock"), timeout=database.wait_seconds):
            if database.path.exists():
                return False
            unfinished = Database(database.path.with_name(f"{database.path.name}.unfinished"), database.store)
            unfinished.path.unlink(missing_ok=True)
            _apply(unfinished, steps)
            unfinished.path.replace(database.path)
            return True
    except Timeout as error:
        raise StoreBusyError(f"another process is creating {database.path} and took longer than {database.wait_seconds:g} s") from error


def _apply(database: Database, steps: list[Migration]) -> list[Migration]:
    with database.writer() as connection:
        connection.execute(LEDGER)
        missing = steps[len(_applied(connection, steps, database)) :]
        for step in missing:
            connection.execute(step.sql)
            connection.execute("INSERT INTO audit.migrations VALUES (?, ?, ?)", [step.number, step.name, step.sha256])
    return missing


def _missing(database: Database, steps: list[Migration]) -> bool:
    with database.reader() as connection:
        has_ledger = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'audit' AND table_name = 'migrations'"
        ).fetchall()[0][0]
        return not has_ledger or len(_applied(connection, steps, database)) < len(steps)


def _applied(connection: duckdb.DuckDBPyConnection, steps: list[Migration], database: Database) -> list[tuple[int, str]]:
    applied: list[tuple[int, str]] = connection.execute("SELECT number, sha256 FROM audit.migrations ORDER BY number").fetchall()
    if len(applied) > len(steps):
        raise StockPipelineError(f"{database.path} has migration {applied[-1][0]}, which this version does not know; install a newer one")
    for (number, sha256), step in zip(applied, steps, strict=False):
        if sha256 != step.sha256:
            raise StockPipelineError(f"migration {number} ({step.name}) was changed after {database.path} had applied it; restore the file")
    return applied
