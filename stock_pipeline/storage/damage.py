"""Errors of DuckDB about a store's file, in one sentence: the file, what is wrong, the remedy."""

from pathlib import Path
from typing import Final

import duckdb

from stock_pipeline.core.errors import StockPipelineError, StoreDamagedError

# What DuckDB raises where a file, or what it read from one, is not as it wrote it, or where the disk is full.
DAMAGE: Final = (
    duckdb.IOException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.SerializationException,
    duckdb.TransactionException,
)
LONGEST: Final = 200  # characters of what DuckDB says


def problem_of(path: Path, error: duckdb.Error) -> StockPipelineError:
    """The error to raise instead of one of ``DAMAGE`` about the store at ``path``."""
    words = str(error).lower()
    if "no space left" in words or "could not write all bytes" in words or "out of disk" in words:
        return StockPipelineError(f"the disk of {path} is full; free space on it, then run the command again; what was committed stays")
    if "permission denied" in words:
        return StockPipelineError(f"{path} cannot be opened: permission denied; give this user the right to read and write it")
    if "read-only file system" in words:
        return StockPipelineError(f"{path} cannot be written to, as its file system is read-only; choose a data directory elsewhere")
    if isinstance(error, duckdb.TransactionException):
        return StockPipelineError(f"{path} could not be written: {error}")
    first = str(error).partition("\n")[0][:LONGEST]
    wal = path.with_name(f"{path.name}.wal")
    files = f"{path} or {wal.name} beside it" if wal.exists() else str(path)
    return StoreDamagedError(
        f"{files} is damaged: {first}; put it aside, and copy the latest {path.name} under {path.parent / 'backups'} to its place"
    )
