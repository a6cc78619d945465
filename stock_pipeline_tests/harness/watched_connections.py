"""DuckDB connections that tell of every statement, for tests that stop or kill whoever executes it."""

from collections.abc import Callable
from typing import Any, Self

import duckdb

Told = Callable[[str], None]


class _Watched:
    def __init__(self, connection: duckdb.DuckDBPyConnection, before: Told, after: Told) -> None:
        self._connection, self._before, self._after = connection, before, after

    def execute(self, statement: str, *values: Any) -> duckdb.DuckDBPyConnection:
        self._before(statement)
        result = self._connection.execute(statement, *values)
        self._after(statement)
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._connection.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _unheard(_statement: str) -> None:
    """Nobody listens."""


def watch_connections(before: Told = _unheard, after: Told = _unheard) -> None:
    """From now on every connection of this process tells of each statement before and after it is executed."""
    connect: Callable[..., duckdb.DuckDBPyConnection] = duckdb.connect
    duckdb.connect = lambda *given, **named: _Watched(connect(*given, **named), before, after)  # type: ignore[assignment]
