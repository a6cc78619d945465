"""Folders for what is needed for a while: removed afterwards, or by the next process where theirs was killed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from stock_pipeline.core.processes import is_alive, process_name

VARIABLE = "TMPDIR"
SEPARATOR = "."  # between the process that made a folder and the number of the folder


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """A new folder under ``root``, removed when the block ends; those of processes that have died are removed first."""
    root.mkdir(parents=True, exist_ok=True)
    for folder in root.iterdir():
        if not _is_in_use(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
    own = process_name(os.getpid())
    folder = next(place for number in count() if not (place := root / f"{own}{SEPARATOR}{number}").exists())
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_in_use(name: str) -> bool:
    process, _, _ = name.rpartition(SEPARATOR)
    try:
        return is_alive(process)
    except ValueError:  # no name of ours
        return True


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Within the block, temporary files of this process and of those that it starts lie in ``folder``."""
    before, variable = tempfile.tempdir, os.environ.get(VARIABLE)
    tempfile.tempdir = os.environ[VARIABLE] = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        if variable is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = variable
