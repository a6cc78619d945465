"""Errors of the file system in one sentence: the file, what is wrong, the remedy."""

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stock_pipeline.core.errors import StockPipelineError

LEAST_FREE_BYTES: Final = 200 * 2**20  # for a first run over the sample, its artefacts and its backups, twice over
NUMBER: Final = re.compile(r"\(os error (\d+)\)")  # as Polars writes it into its messages
REMEDIES: Final = {
    errno.EACCES: "give this user the right to read and write it",
    errno.EPERM: "give this user the right to read and write it",
    errno.EROFS: "choose a data directory on a disk that can be written to",
    errno.ENOSPC: "free space on its disk, then run the command again; what was committed stays",
    errno.EDQUOT: "free space in the quota of this user, then run the command again; what was committed stays",
}


def sentence_on(error: OSError) -> str:
    """The sentence on an error of the file system."""
    named = " to ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    problem = (error.strerror or type(error).__name__).lower()
    remedy = REMEDIES.get(error.errno or 0)
    return f"{named or 'a file'}: {problem}" + ("" if remedy is None else f"; {remedy}")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give the errors of the file system in the block a file, where the library that met one does not say which: ``path``.

    Raises:
        OSError: with ``path`` as its file.
    """
    try:
        yield
    except OSError as error:
        found = NUMBER.search(str(error))
        number = error.errno or (int(found[1]) if found else None)
        if error.filename is not None or number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def refuse_full_disk(home: Path, growing: Iterable[Path]) -> None:
    """Refuse to begin where the disk has not enough room for what a run writes.

    Needed is as much again as the files in ``growing`` have, once for a backup and once for what is rewritten, and at least 200 MiB.

    Args:
        home: the data directory, which exists.
        growing: its files that backups copy; they need not exist.

    Raises:
        StockPipelineError: there is less free; the sentence names the disk, and what is needed.
    """
    needed = max(LEAST_FREE_BYTES, 2 * sum(path.stat().st_size for path in growing if path.exists()))
    free = shutil.disk_usage(home).free
    if free < needed:
        raise StockPipelineError(
            f"the disk of {home} has {free / 2**20:,.0f} MiB free, and a run needs {needed / 2**20:,.0f} MiB; free space on it, or choose "
            f"another data directory"
        )
