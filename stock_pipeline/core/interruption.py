"""Ctrl+C and SIGTERM: they are remembered, because a library may swallow the exception that they raise, or turn it into another.

DuckDB makes "Query interrupted" of it, and callbacks from native code lose it. So whoever executes step after step asks between them.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl+C does."""


RAISED: Final = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}
_asked: list[type[KeyboardInterrupt]] = []  # by signals since the outermost block began
_deferred = 0  # how many blocks of ``uninterrupted`` are open


def raise_if_asked() -> None:
    """Raise what a signal has asked for within ``interruptible``, whatever became of the exception that it raised."""
    if _asked:
        raise _asked[-1]


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block SIGINT raises KeyboardInterrupt and SIGTERM ``Terminated``, and both are remembered; in the main thread alone.

    A SIGINT that the process was started to ignore, as by ``nohup`` or in the background of a shell, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in RAISED}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if before[signal.SIGTERM] is not _stop:  # the outermost block
            _asked.clear()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off what a signal asks for until the block has ended, as where a commit is neither to be cut in two nor to be lost."""
    global _deferred
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = len(_asked)
    _deferred += 1
    try:
        yield
    finally:
        _deferred -= 1
    if not _deferred and len(_asked) > before:
        raise_if_asked()


def _stop(number: int, _frame: FrameType | None) -> None:
    kind = RAISED[signal.Signals(number)]
    _asked.append(kind)
    if not _deferred:
        raise kind
