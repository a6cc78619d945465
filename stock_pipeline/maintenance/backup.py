"""Backups: a folder per session under ``backups``, with a consistent copy of both stores. None ever takes the place of another."""

import hashlib
import shutil
from collections.abc import Iterable
from datetime import date
from itertools import count
from pathlib import Path

import polars as pl

from stock_pipeline.core.atomic_files import replacing
from stock_pipeline.core.columns import AS_OF
from stock_pipeline.maintenance.tables import BACKUPS, STORE
from stock_pipeline.storage import Stores


def back_up(stores: Stores, as_of: date) -> pl.DataFrame:
    """Copy both stores into a new folder, which appears when both copies are complete, and return a row of BACKUPS for each."""
    folder = _new_folder(stores.layout.backups, as_of)
    rows = []
    with replacing(folder) as unfinished:
        for database in (stores.market, stores.ml):
            copy = unfinished / database.path.name
            size = database.copy_to(copy)
            with copy.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            path = (folder / copy.name).relative_to(stores.home).as_posix()
            rows.append({AS_OF: as_of, STORE: database.store, "path": path, "size_bytes": size, "sha256": sha256})
    return pl.DataFrame(rows, schema=BACKUPS.dtypes)


def _new_folder(backups: Path, as_of: date) -> Path:
    """The folder of the session, such as 2010-08-20; 2010-08-20-2 where there is one already, and so on."""
    names = (str(as_of) if number == 1 else f"{as_of}-{number}" for number in count(1))
    return next(folder for folder in map(backups.joinpath, names) if not folder.exists())


def sessions_on_disk(backups: Path) -> dict[str, date]:
    """The session of every backup in the folder, by the name of its own folder; other names are none of ours."""
    found = {}
    for folder in backups.iterdir() if backups.is_dir() else ():
        try:
            found[folder.name] = date.fromisoformat(folder.name[: len("2010-08-20")])
        except ValueError:
            continue
    return found


def outdated(sessions: Iterable[date], kept: int) -> list[date]:
    """The sessions whose backups are to be deleted when only those of the last ``kept`` sessions stay."""
    return sorted(set(sessions), reverse=True)[kept:]


def remove(backups: Path, sessions: Iterable[date]) -> None:
    """Delete the backups of those sessions from the folder ``backups``."""
    gone = set(sessions)
    for name, session in sessions_on_disk(backups).items():
        if session in gone:
            shutil.rmtree(backups / name, ignore_errors=True)
