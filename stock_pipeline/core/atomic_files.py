"""Files and folders that are written whole or not at all, whichever process is killed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside ``path`` for a file or a folder: renamed to ``path`` when the block ends, removed when it fails.

    A file of that name is replaced; a folder of that name must not exist. Remains of an earlier process are removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    _remove(unfinished)
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        _remove(unfinished)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8; a process that reads it meanwhile sees the old file or the new one."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
