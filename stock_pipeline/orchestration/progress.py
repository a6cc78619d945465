"""Telling whoever watches an in-process run what it is doing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Began:
    """An asset has begun."""

    asset: str


@dataclass(frozen=True)
class Noted:
    """A step inside an asset, such as the fold of a training."""

    asset: str
    note: str


@dataclass(frozen=True)
class Ended:
    """An asset has ended: with rows, or with the sentence of its error."""

    asset: str
    rows: int
    seconds: float
    up_to_date: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Stopped:
    """A blocking check has failed on an asset, so that nothing is made of it; ``facts`` is what the check measured."""

    asset: str
    check: str
    facts: str


Event = Began | Noted | Ended | Stopped
_listener: ContextVar[Callable[[Event], None] | None] = ContextVar("progress_listener", default=None)


def announce(event: Event) -> None:
    """Pass the event to the listener of this context, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(event)


@contextmanager
def listening(listener: Callable[[Event], None]) -> Iterator[None]:
    """Send every event announced inside the block to ``listener``."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
