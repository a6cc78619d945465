"""Backups: a folder per session under ``backups``, with a consistent copy of both stores."""

import hashlib
import shutil
from datetime import date
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import AS_OF
from stock_pipeline.maintenance.tables import BACKUPS, STORE
from stock_pipeline.storage import Stores


def back_up(stores: Stores, as_of: date) -> pl.DataFrame:
    """Copy both stores and return a row of BACKUPS for each."""
    rows = []
    for database in (stores.market, stores.ml):
        copy = stores.layout.backups / str(as_of) / database.path.name
        size = database.copy_to(copy)
        with copy.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        path = copy.relative_to(stores.home).as_posix()
        rows.append({AS_OF: as_of, STORE: database.store, "path": path, "size_bytes": size, "sha256": sha256})
    return pl.DataFrame(rows, schema=BACKUPS.dtypes)


def outdated(backups: pl.DataFrame, kept: int) -> list[date]:
    """The sessions whose backups are to be deleted when only the last ``kept`` stay."""
    sessions: list[date] = backups[AS_OF].unique().sort(descending=True).to_list()
    return sessions[kept:]


def remove(backups: Path, sessions: list[date]) -> None:
    """Delete the backups of those sessions from the folder ``backups``."""
    for session in sessions:
        shutil.rmtree(backups / str(session), ignore_errors=True)
