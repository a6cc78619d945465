"""A consistent copy of a store: every committed transaction, none by half."""

from pathlib import Path

import duckdb

from stock_pipeline.core.atomic_files import replacing
from stock_pipeline.storage.database import Database


def copy_store(database: Database, target: Path) -> int:
    """Copy the store to ``target`` while others may read it, and return the copy's size in bytes.

    The copy is made beside the target and moved into place when it is whole. It is also compact: DuckDB's own files never
    shrink, their copies hold what is alive.

    Raises:
        StoreBusyError: a writer held the store all the time that we waited.
    """
    with replacing(target) as unfinished, duckdb.connect(":memory:") as connection:
        database.patiently(lambda: connection.execute(f"ATTACH {_literal(database.path)} AS source (READ_ONLY)"))
        connection.execute(f"ATTACH {_literal(unfinished)} AS target (STORAGE_VERSION 'v1.5.0')")
        connection.execute("COPY FROM DATABASE source TO target")
        connection.execute("DETACH target")
    return target.stat().st_size


def _literal(path: Path) -> str:
    # ATTACH takes no bound parameter, so the path becomes a literal with its quotes doubled.
    return "'" + str(path).replace("'", "''") + "'"
