"""Progress events of a run, and their listener."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Started:
    """A stage has begun."""

    asset: str


@dataclass(frozen=True)
class Progressed:
    """A step inside a stage, such as the fold of a training."""

    asset: str
    note: str


@dataclass(frozen=True)
class Finished:
    """A stage has ended, with rows or with an error in one sentence. ``remade`` names the setting for which everything was rebuilt."""

    asset: str
    rows: int
    seconds: float
    up_to_date: bool = False
    error: str | None = None
    remade: str | None = None


@dataclass(frozen=True)
class Blocked:
    """A blocking check of an asset has failed, so nothing downstream is made; ``facts`` is what the check measured."""

    asset: str
    check: str
    facts: str


Event = Started | Progressed | Finished | Blocked
Listener = Callable[[Event], None]
_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


def announce(event: Event) -> None:
    """Pass the event to the listener of this context, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(event)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send every event announced inside the block to ``listener``."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
