"""Finding what a user names among what there is."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from stock_pipeline.core.errors import InputError


class Named(Protocol):
    """Anything that has a name."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...


Entry = TypeVar("Entry", bound=Named)


def entry_named(name: str, entries: Iterable[Entry], what: str) -> Entry:
    """The entry of that name.

    Args:
        name: as the user gave it.
        entries: what there is, in the order in which it is told.
        what: what the entries are, for the message, as in "feature set".

    Raises:
        InputError: there is none; the message lists those there are.
    """
    known = {entry.name: entry for entry in entries}
    if name not in known:
        raise InputError(f"{what} {name!r} is not known; choose one of {', '.join(known)}")
    return known[name]
