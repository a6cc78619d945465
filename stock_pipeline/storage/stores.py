"""The market store and the ML store under one data directory, as the stages see them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

import duckdb
import polars as pl

from stock_pipeline.core.content_hash import content_hash
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.layout import Layout
from stock_pipeline.core.table_schema import StoreName, TableSchema, View
from stock_pipeline.storage import audit
from stock_pipeline.storage.audit import Author, Execution, Progress, Seen, Watermark, WriteReport
from stock_pipeline.storage.database import Database
from stock_pipeline.storage.ddl import table_identifier
from stock_pipeline.storage.lost import refuse_lost
from stock_pipeline.storage.modes import Write
from stock_pipeline.storage.reading import Selection, read, stored_columns
from stock_pipeline.storage.schema_sync import prepare
from stock_pipeline.storage.writing import write_all

T = TypeVar("T")


@dataclass(frozen=True)
class VersionedRows:
    """Rows of a table, and its version from before they were read, for the ``expected_version`` of a write."""

    frame: pl.DataFrame
    version: int


@dataclass(frozen=True)
class Stores:
    """Both stores. A schema knows which of them holds its table."""

    home: Path
    market: Database
    ml: Database

    @property
    def layout(self) -> Layout:
        """The paths under the data directory."""
        return Layout(self.home)

    @property
    def exist(self) -> bool:
        """Whether both files exist."""
        return self.market.path.exists() and self.ml.path.exists()

    def database(self, store: StoreName) -> Database:
        """The store of that name."""
        return self.market if store == "market" else self.ml

    def prepare(self, tables: Sequence[TableSchema], views: Sequence[View] = ()) -> None:
        """Bring both stores up to the schemas of these tables and views, creating missing files; see ``schema_sync.prepare``.

        Raises:
            StoreDamagedError: a file is missing that was there; see ``refuse_lost``.
        """
        self.refuse_lost()
        for database in (self.market, self.ml):
            own = [table for table in tables if table.store == database.store]
            prepare(database, own, [view for view in views if view.store == database.store])

    def refuse_lost(self) -> None:
        """Refuse a data directory in which a store is missing that was there; see ``lost.refuse_lost``."""
        refuse_lost(self.layout, self.market, self.ml)
        refuse_lost(self.layout, self.ml, self.market)

    def read(self, schema: TableSchema, selection: Selection | None = None) -> pl.DataFrame:
        """The selected rows of a table (all of them by default), ordered by its key."""
        with self.database(schema.store).reader() as connection:
            return read(connection, schema, selection or Selection())

    def read_versioned(self, schema: TableSchema) -> VersionedRows:
        """All rows of a table, ordered by its key, and its version."""
        with self.database(schema.store).reader() as connection:
            version = audit.version_of(connection, schema.qualified_name)
            return VersionedRows(read(connection, schema, Selection()), version)

    @contextmanager
    def shared_reader(self, store: StoreName) -> Iterator[None]:
        """Within the block, reads of the store share one opening of its file, which is slow; nobody can write to it meanwhile."""
        with self.database(store).reader():
            yield

    @contextmanager
    def shared_readers(self) -> Iterator[None]:
        """As ``shared_reader`` for both stores, where they exist."""
        with ExitStack() as stack:
            for database in (self.market, self.ml) if self.exist else ():
                stack.enter_context(database.reader())
            yield

    def count(self, schema: TableSchema) -> int:
        """The number of rows of the table."""
        with self.database(schema.store).reader() as connection:
            return _count(connection, schema)

    def rows_ever(self, schema: TableSchema) -> int:
        """The number of rows the table has ever gained, including deleted ones; see ``audit.rows_ever``."""
        with self.database(schema.store).reader() as connection:
            return audit.rows_ever(connection, schema.qualified_name)

    def revision(self, schema: TableSchema) -> str:
        """A name for the state of the table: where it is the same, so are the rows, in a copy of the store too."""
        with self.database(schema.store).reader() as connection:
            return audit.revision_of(connection, schema.qualified_name)

    def content_hash(self, schema: TableSchema) -> str:
        """A hash of the table's content that does not depend on the order of its rows."""
        return content_hash(self.read(schema), schema.row_key)

    def write(self, store: StoreName, author: Author, writes: Sequence[Write], watermark: date | None) -> list[WriteReport]:
        """Write every table of one author, and an asset's watermark, in one transaction; see ``writing.write_all``.

        Args:
            store: the store that is written to.
            author: for the audit trail.
            writes: a write for each table.
            watermark: the session that an asset has reached; None for a person or a job.

        Raises:
            StockPipelineError: a table lies in the other store, an asset gives no watermark, or another author gives one.
        """
        if (author.kind == "asset") != (watermark is not None):
            raise StockPipelineError(f"the {author.kind} {author.name} writes with watermark {watermark}; an asset has one, others none")
        strangers = [write.schema.qualified_name for write in writes if write.schema.store != store]
        if strangers:
            raise StockPipelineError(f"{author.name} writes to the {store} store, but {', '.join(strangers)} lies in the other")
        return write_all(self.database(store), author, writes, watermark)

    def watermark(self, store: StoreName, asset: str) -> Watermark | None:
        """The asset's watermark; None where it has none yet."""
        with self.database(store).reader() as connection:
            return audit.read_watermark(connection, asset)

    def watermarks(self) -> dict[str, date]:
        """The session that each asset of both stores has reached."""
        return self._of_both(audit.read_watermarks)

    def up_with_market(self) -> set[str]:
        """The assets whose last execution that did not fail saw the last write to the market store."""
        with self.market.reader() as connection:
            last = audit.last_sequence(connection)
        return {asset for asset, seen in self._of_both(audit.seen_of_market).items() if seen >= last}

    def cut_short(self) -> set[str]:
        """The assets of both stores whose last execution ended after its write and before its end; see ``audit.cut_short``."""
        return {*self._of_both(lambda connection: dict.fromkeys(audit.cut_short(connection), True))}

    def market_session(self) -> date | None:
        """The last session in the market store, which only ingestion writes; None where there is none yet."""
        if not self.market.path.exists():
            return None
        with self.market.reader() as connection:
            return audit.last_watermark(connection)

    def progress_of(self, store: StoreName, asset: str, tables: Sequence[TableSchema]) -> Progress:
        """How far the asset has come, with the rows and the versions of ``tables``, which lie in that store."""
        with self.database(store).reader() as connection:
            return Progress(
                watermark=audit.read_watermark(connection, asset),
                counts={table.qualified_name: _count(connection, table) for table in tables},
                versions={table.qualified_name: audit.version_of(connection, table.qualified_name) for table in tables},
                last_write=audit.last_write_of(connection, asset),
            )

    def changed_from(self, tables: Sequence[TableSchema], store: StoreName, asset: str) -> date | None:
        """The earliest session whose rows in ``tables`` have changed since the asset's last run that did not fail; None where none has.

        ``date.min`` where there was no such run, as the asset may have been killed after writing, and what it had read is unknown; also
        where a store has fewer writes than the asset has seen, as it was restored from a backup.
        """
        with self.database(store).reader() as connection:
            seen = audit.last_seen(connection, asset)
        if seen is None:
            return date.min
        found: list[date] = []
        for database, number, run in ((self.market, seen.market, seen.market_run), (self.ml, seen.ml, seen.ml_run)):
            names = [table.qualified_name for table in tables if table.store == database.store]
            if names:
                with database.reader() as connection:
                    # A store restored from before the asset looked: it lacks the write seen last, or has another in its place.
                    if audit.last_sequence(connection) < number or (run is not None and audit.run_of(connection, number) != run):
                        return date.min
                    changed = audit.changed_from(connection, names, number)
                found += [changed] if changed is not None else []
        return min(found, default=None)

    def seen(self) -> Seen:
        """The numbers of the last writes to both stores: taken before reading, and recorded once the rows read have been processed."""
        (market, market_run), (ml, ml_run) = (_last_write(database) for database in (self.market, self.ml))
        return Seen(market, ml, market_run, ml_run)

    def passed_last(self, store: StoreName, asset: str, tables: Sequence[TableSchema]) -> set[str]:
        """The checks of the asset that passed in its last execution, if its ``tables`` are as it left them; see ``audit.passed_last``."""
        with self.database(store).reader() as connection:
            return audit.passed_last(connection, asset, [table.qualified_name for table in tables])

    def last_write(self, schema: TableSchema, asset: str) -> datetime | None:
        """When the asset last changed something in the table, in UTC."""
        with self.database(schema.store).reader() as connection:
            return audit.last_write(connection, asset, schema.qualified_name)

    def record_executions(self, store: StoreName, *runs: Execution) -> None:
        """Add executions of assets of that store to the trail, in one transaction."""
        with self.database(store).writer() as connection:
            for run in runs:
                audit.record_execution(connection, run)

    def last_executions(self) -> dict[str, Execution]:
        """The latest execution of every asset, of both stores."""
        return self._of_both(audit.last_executions)

    def _of_both(self, read_one: Callable[[duckdb.DuckDBPyConnection], dict[str, T]]) -> dict[str, T]:
        found: dict[str, T] = {}
        for database in (self.market, self.ml):
            with database.reader() as connection:
                found |= read_one(connection)
        return found


def _last_write(database: Database) -> tuple[int, str | None]:
    """The number of the last write to a store, and its run."""
    with database.reader() as connection:
        number = audit.last_sequence(connection)
        return number, audit.run_of(connection, number)


def _count(connection: duckdb.DuckDBPyConnection, schema: TableSchema) -> int:
    if not stored_columns(connection, schema):
        return 0
    return int(connection.execute(f"SELECT count(*) FROM {table_identifier(schema)}").fetchall()[0][0])  # noqa: S608


def open_stores(home: Path, wait_seconds: float = 60.0) -> Stores:
    """The stores under ``home``. Nothing is created until ``prepare``."""
    layout = Layout(home)
    market, ml = Database(layout.market_store, "market", wait_seconds), Database(layout.ml_store, "ml", wait_seconds)
    return Stores(home, market, ml)
