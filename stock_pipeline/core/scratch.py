"""A folder of this process for temporary files: removed when it ends, or by the next process where it was killed."""

import multiprocessing.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.processes import is_alive, process_name

VARIABLE = "TMPDIR"


def scratch_folder(root: Path) -> Path:
    """The folder of this process under ``root``, made at its first use, when those of dead processes are removed.

    Raises:
        StockPipelineError: ``root`` is something else than a folder.
    """
    if (root.exists() or root.is_symlink()) and not root.is_dir():
        raise StockPipelineError(f"{root} is no folder, where that of temporary files belongs; move it away")
    folder = _folder_of(root, os.getpid())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_left_over(root: Path) -> None:
    """Remove the folders of dead processes under ``root``."""
    for left in root.iterdir() if root.is_dir() else ():
        if not _is_in_use(left.name):
            shutil.rmtree(left, ignore_errors=True)


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
    remove_left_over(root)
    folder = root / process_name(pid)
    # atexit does not run in the children of a fork server; this does, there and everywhere.
    multiprocessing.util.Finalize(None, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=0)
    return folder


def _is_in_use(name: str) -> bool:
    try:
        return is_alive(name)
    except (ValueError, OverflowError):  # no name of ours
        return True
