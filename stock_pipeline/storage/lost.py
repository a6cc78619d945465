"""A store whose file is gone: an empty one in its place would hide the loss, and its backups would follow it."""

from pathlib import Path

from stock_pipeline.core.errors import StoreDamagedError
from stock_pipeline.core.layout import Layout
from stock_pipeline.storage.audit import last_sequence
from stock_pipeline.storage.database import Database


def refuse_lost(layout: Layout, database: Database, other: Database) -> None:
    """Refuse to go on where a store's file is missing although something tells that there was one.

    Args:
        layout: of the data directory.
        database: the store, whose file may be missing.
        other: the other store.

    Raises:
        StoreDamagedError: the file was lost; the sentence names it, what tells of it, and the remedy.
    """
    if database.path.exists():
        return
    backup = _latest_backup(layout, database.path.name)
    told = _evidence(layout, database, other, backup)
    if told is None:
        return
    remedy = f"copy {backup} to its place" if backup is not None else "restore it from a copy of your own"
    raise StoreDamagedError(f"{database.path} is missing, but {told}; {remedy}, or move {layout.home} away to start anew")


def _evidence(layout: Layout, database: Database, other: Database, backup: Path | None) -> str | None:
    """What tells that the store was there; None where nothing does, as in a new data directory."""
    if other.path.exists():
        with other.reader() as connection:  # both files are made before anything is written to one of them
            if last_sequence(connection):
                return f"{other.path.name} beside it holds data"
    if backup is not None:
        return "there are backups of it"
    if database.store == "ml" and any(layout.models.glob("*/*/")):
        return f"there are artefacts of its models in {layout.models}"
    return None


def _latest_backup(layout: Layout, name: str) -> Path | None:
    return max(layout.backups.glob(f"[0-9]*/{name}"), key=lambda copy: copy.stat().st_mtime, default=None)
