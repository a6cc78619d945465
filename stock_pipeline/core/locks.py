"""Locks between processes. The operating system releases the lock of a process that dies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def exclusive(path: Path, busy: Callable[[], Exception] | None = None, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock file ``path``, which stays where it is, inside the block; its folder is made where it is missing.

    Raises what ``busy`` returns where another process holds the lock for ``wait_seconds``; waits without end where ``busy`` is None.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=-1 if busy is None else wait_seconds)
    except Timeout as error:
        raise (error if busy is None else busy()) from error
    try:
        yield
    finally:
        lock.release()
