"""A folder of this process for temporary files: removed when it ends, or by the next process where it was killed."""

import multiprocessing.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from stock_pipeline.core.processes import is_alive, process_name

VARIABLE = "TMPDIR"


def scratch_folder(root: Path) -> Path:
    """The folder of this process under ``root``, made at its first use, when those of dead processes are removed."""
    folder = _folder_of(root, os.getpid())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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


@cache
def _folder_of(root: Path, pid: int) -> Path:
    for left in root.iterdir() if root.is_dir() else ():
        if not _is_in_use(left.name):
            shutil.rmtree(left, ignore_errors=True)
    folder = root / process_name(pid)
    # atexit does not run in the children of a fork server; this does, there and everywhere.
    multiprocessing.util.Finalize(None, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=0)
    return folder


def _is_in_use(name: str) -> bool:
    try:
        return is_alive(name)
    except ValueError:  # no name of ours
        return True
