"""Look-up of an entry by the name that a user gives."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from stock_pipeline.core.errors import InputError


class Named(Protocol):
    """Anything that has a name."""

    @property
    def name(self) -> str:
        """The name by which users choose it."""
        ...


Entry = TypeVar("Entry", bound=Named)


def entry_named(name: str, entries: Iterable[Entry], what: str) -> Entry:
    """The entry that the user names.

    Raises:
        InputError: there is none; the message says ``what`` the entries are, as in "feature set", and lists them in their order.
    """
    known = {entry.name: entry for entry in entries}
    if name not in known:
        raise InputError(f"{what} {name!r} is not known; choose one of {', '.join(known)}")
    return known[name]
