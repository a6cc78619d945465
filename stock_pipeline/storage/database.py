"""One DuckDB file: short connections, bounded waiting for its lock, hardening switched on."""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import duckdb

from stock_pipeline.core.atomic_files import replacing
from stock_pipeline.core.errors import StockPipelineError, StoreBusyError
from stock_pipeline.core.interruption import uninterrupted
from stock_pipeline.core.table_schema import StoreName
from stock_pipeline.storage.damage import DAMAGE, problem_of

# A store reads and writes its own file and nothing else: no other files, no network, no extensions from outside.
HARDENING: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "storage_compatibility_version": "v1.5.0",
    "lock_configuration": True,
}
MOST_MEGABYTES_OF_A_COPY = 512
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 0.5
HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")

T = TypeVar("T")


class Database:
    """A DuckDB file that admits many readers or one writer, across processes."""

    def __init__(self, path: Path, store: StoreName, wait_seconds: float = 60.0) -> None:
        self.path = path
        self.store = store
        self.wait_seconds = wait_seconds

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection, closed on leaving.

        Raises:
            StockPipelineError: the store does not exist yet.
            StoreBusyError: a writer held the store for the whole waiting time.
        """
        if not self.path.exists():
            raise StockPipelineError(f"{self.path} does not exist yet; run `stock-pipeline run` first")
        connection = self._connect(read_only=True)
        try:
            yield connection
        except DAMAGE as error:
            raise problem_of(self.path, error) from error
        finally:
            _close(connection)

    @contextmanager
    def writer(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection inside one transaction: committed on leaving, rolled back when anything is raised.

        Raises:
            StoreBusyError: another process held the store for the whole waiting time.
        """
        connection = self._connect(read_only=False)
        with uninterrupted():
            try:
                connection.execute("BEGIN TRANSACTION")
                yield connection
                connection.execute("COMMIT")
            except DAMAGE as error:
                raise problem_of(self.path, error) from error
            finally:
                _close(connection)

    def _connect(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        return self._retry_while_locked(lambda: duckdb.connect(self.path, read_only=read_only, config=HARDENING))

    def _retry_while_locked(self, attempt: Callable[[], T]) -> T:
        """The result of ``attempt``, which opens the file; tried again for ``wait_seconds`` while another process holds it.

        Raises:
            StoreBusyError: another process held the store for the whole waiting time.
        """
        deadline = time.monotonic() + self.wait_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return attempt()
            except (duckdb.IOException, duckdb.ConnectionException) as error:
                if not _is_lock_conflict(error):
                    raise problem_of(self.path, error) from error
                if time.monotonic() >= deadline:
                    raise StoreBusyError(self._busy_message(error)) from error
            # Jitter keeps processes that wait for one another from retrying in step for ever.
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def copy_to(self, target: Path) -> int:
        """Copy every committed transaction to ``target`` while others may read the store, and return the copy's size in bytes.

        The copy is made beside the target and moved into place when it is complete. It is also compact: DuckDB's own files never
        shrink, but their copies leave deleted rows out.

        Raises:
            StoreBusyError: a writer held the store for the whole waiting time.
        """
        with uninterrupted(), replacing(target) as unfinished, duckdb.connect(":memory:") as connection:
            # Beyond the limit it puts rows aside, beside the copy.
            connection.execute(f"SET temp_directory = {_literal(unfinished.with_suffix('.tmp'))}")
            connection.execute(f"SET memory_limit = '{MOST_MEGABYTES_OF_A_COPY}MB'")
            self._retry_while_locked(lambda: connection.execute(f"ATTACH {_literal(self.path)} AS source (READ_ONLY)"))
            try:
                connection.execute(f"ATTACH {_literal(unfinished)} AS target (STORAGE_VERSION 'v1.5.0')")
                connection.execute("COPY FROM DATABASE source TO target")
                connection.execute("DETACH target")
            except DAMAGE as error:
                raise problem_of(self.path, error) from error
        return target.stat().st_size

    def _busy_message(self, error: duckdb.Error) -> str:
        found = HOLDER.search(str(error))
        holder = f"process {found['pid']} ({found['program']})" if found else "another connection of this process"
        return f"{self.path} is held by {holder} and was not released within {self.wait_seconds:g} s; wait for it or end it, then try again"


def _close(connection: duckdb.DuckDBPyConnection) -> None:
    """Close a connection, without the transaction that a failure or an interrupted query may have left open.

    DuckDB keeps the file of such a transaction, and whoever opens it next in this process waits for ever.
    """
    with uninterrupted():
        try:
            with suppress(duckdb.Error, RuntimeError):  # mostly there is none
                connection.execute("ROLLBACK")
        finally:
            connection.close()


def _is_lock_conflict(error: duckdb.Error) -> bool:
    text = str(error)
    return "Could not set lock on file" in text or "different configuration than existing connections" in text


def _literal(path: Path) -> str:
    # ATTACH takes no bound parameter, so the path becomes a literal with its quotes doubled.
    return "'" + str(path).replace("'", "''") + "'"
