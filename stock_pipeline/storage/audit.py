"""The audit trail of a store: every write that changed something, every task, and how far each asset has come."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime
from typing import Literal

import duckdb

from stock_pipeline import __version__
from stock_pipeline.core.code_digest import code_digest
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.storage.ddl import quoted_list, table_identifier
from stock_pipeline.storage.reading import Selection, read, stored_columns
from stock_pipeline.storage.tables import ASSET, EXECUTIONS, WATERMARKS, WRITES

AuthorKind = Literal["asset", "person", "job"]
ExecutionState = Literal["succeeded", "up_to_date", "failed"]


@dataclass(frozen=True)
class Author:
    """The author of a write for the audit trail, an asset, a person or a job, and the moment (UTC). Only an asset has a watermark."""

    kind: AuthorKind
    name: str
    code_version: str
    run_id: str
    written_at: datetime
    settings: str = "{}"

    @classmethod
    def of_asset(cls, name: str, code_version: str, run_id: str, written_at: datetime, settings: str = "{}") -> "Author":
        """An asset that a run executes.

        Args:
            name: of the asset.
            code_version: another version may make other rows.
            run_id: of the run that executes it.
            written_at: when it writes, UTC.
            settings: those that its rows depend on, as a JSON object.
        """
        return cls("asset", name, code_version, run_id, written_at, settings)

    @classmethod
    def of_person(cls, name: str, run_id: str, written_at: datetime) -> "Author":
        """A person who gave a command."""
        return cls("person", name, __version__, run_id, written_at)

    @classmethod
    def of_job(cls, name: str, run_id: str, written_at: datetime) -> "Author":
        """A job that keeps its own record."""
        return cls("job", name, __version__, run_id, written_at)


@dataclass(frozen=True)
class WriteReport:
    """What a write did to its table, in the order of the columns of WRITES. ``first_session`` is the earliest of all rows changed."""

    table: str
    rows_in: int
    inserted: int
    deleted: int
    quarantined: int
    first_session: date | None
    content_hash: str

    @property
    def changed(self) -> bool:
        """Whether the table was changed."""
        return self.inserted > 0 or self.deleted > 0


@dataclass(frozen=True)
class Seen:
    """The number of the last write to each store that a reader sees now, and its run: in another history of the store it is another's."""

    market: int
    ml: int
    market_run: str | None = None  # None: there is no write, or its run is not on record
    ml_run: str | None = None


@dataclass(frozen=True)
class Execution:
    """One execution of an asset: when, how it ended, what it wrote, which writes to the stores it saw, and which checks passed."""

    asset: str
    run_id: str
    started_at: datetime
    finished_at: datetime
    state: ExecutionState
    rows: int
    error: str | None = None
    seen: "Seen | None" = None
    passed: tuple[str, ...] | None = None  # names of the checks that passed; None: it did not come to them


@dataclass(frozen=True)
class Watermark:
    """The last session that an asset has brought its tables to, with the code version and the settings (JSON) that it used."""

    session: date
    code_version: str
    settings: str


@dataclass(frozen=True)
class Progress:
    """How far an asset has come, and how many rows its tables have."""

    watermark: Watermark | None  # None: it has made nothing yet
    counts: dict[str, int]  # rows of each of its tables, by qualified name
    versions: dict[str, int]  # number of the last write to each of its tables, by qualified name; 0: none
    last_write: int  # number of the last write of the asset itself; 0: none


def record_write(connection: duckdb.DuckDBPyConnection, author: Author, report: WriteReport) -> None:
    """Add the audit row of a write, inside the write's own transaction, with the next number of the store."""
    table, *figures = astuple(report)
    number = last_sequence(connection) + 1
    _insert(connection, WRITES, [number, author.run_id, author.kind, author.name, table, author.written_at, *figures])


def advance_watermark(connection: duckdb.DuckDBPyConnection, author: Author, watermark: date) -> None:
    """Move the asset's watermark forward to the session, with its code version and its settings; it never moves back."""
    held = read_watermark(connection, author.name)
    reached = watermark if held is None else max(watermark, held.session)
    if held == Watermark(reached, author.code_version, author.settings):
        return
    connection.execute("DELETE FROM audit.watermarks WHERE asset = ?", [author.name])
    _insert(connection, WATERMARKS, [author.name, reached, author.code_version, author.settings])


def read_watermark(connection: duckdb.DuckDBPyConnection, asset: str) -> Watermark | None:
    """The asset's watermark; None where it has none yet."""
    rows = read(connection, WATERMARKS, Selection(equals={ASSET: [asset]})).rows(named=True)
    # The settings of older rows may not be on record; they then count as none.
    return Watermark(rows[0]["watermark"], rows[0]["code_version"], rows[0]["settings"] or "{}") if rows else None


def last_watermark(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The last session that any asset of the store has reached."""
    found: date | None = connection.execute("SELECT max(watermark) FROM audit.watermarks").fetchall()[0][0]
    return found


def version_of(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """The number of the write that changed the table last; 0 where none has."""
    query = "SELECT coalesce(max(sequence), 0) FROM audit.writes WHERE table_name = ?"
    return int(connection.execute(query, [table]).fetchall()[0][0])


def revision_of(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """The number, the run and the payload of the write that changed the table last; empty where none has."""
    query = "SELECT sequence, run_id, content_hash FROM audit.writes WHERE table_name = ? ORDER BY sequence DESC LIMIT 1"
    return " ".join(str(value) for row in connection.execute(query, [table]).fetchall() for value in row)


def last_write_of(connection: duckdb.DuckDBPyConnection, asset: str) -> int:
    """The number of the asset's last write to any table; 0 where there was none."""
    query = "SELECT coalesce(max(sequence), 0) FROM audit.writes WHERE author_kind = 'asset' AND author = ?"
    return int(connection.execute(query, [asset]).fetchall()[0][0])


def rows_ever(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """The number of rows the table has ever gained, including deleted ones; a replaced row does not count as gained."""
    query = "SELECT coalesce(sum(greatest(rows_inserted - rows_deleted, 0)), 0) FROM audit.writes WHERE table_name = ?"
    return int(connection.execute(query, [table]).fetchall()[0][0])


def last_sequence(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the last write to the store; 0 where there was none."""
    return int(connection.execute("SELECT coalesce(max(sequence), 0) FROM audit.writes").fetchall()[0][0])


def changed_from(connection: duckdb.DuckDBPyConnection, tables: Sequence[str], seen: int) -> date | None:
    """The earliest session whose rows in any of the tables were changed by a write later than the one numbered ``seen``.

    A change without a session, because its table has none, may concern every session.
    """
    marks = ", ".join("?" * len(tables))
    query = f"SELECT min(coalesce(first_session, DATE '0001-01-01')) FROM audit.writes WHERE sequence > ? AND table_name IN ({marks})"  # noqa: S608
    found: date | None = connection.execute(query, [seen, *tables]).fetchall()[0][0]
    return found


def last_seen(connection: duckdb.DuckDBPyConnection, asset: str) -> Seen | None:
    """The last writes that the asset has seen in its last execution that did not fail; None where there was none.

    The last one is that which was recorded last, whatever its clock said. Its numbers may be lower than those before, as after a store
    was restored from a backup.
    """
    columns = "seen_market, seen_ml, seen_market_run, seen_ml_run"
    query = f"SELECT {columns} FROM audit.executions WHERE asset = ? AND state <> 'failed' ORDER BY rowid DESC LIMIT 1"  # noqa: S608
    rows = connection.execute(query, [asset]).fetchall()
    return Seen(*rows[0]) if rows and None not in rows[0][:2] else None


def run_of(connection: duckdb.DuckDBPyConnection, sequence: int) -> str | None:
    """The run that made the write of that number; None where there is none."""
    rows = connection.execute("SELECT run_id FROM audit.writes WHERE sequence = ?", [sequence]).fetchall()
    return rows[0][0] if rows else None


def passed_last(connection: duckdb.DuckDBPyConnection, asset: str, tables: Sequence[str]) -> set[str]:
    """The checks that passed in the execution of the asset that was recorded last.

    None of them where other code judged them, or where its tables have been written since: by an execution that was cut short, or by
    another author.
    """
    marks = ", ".join("?" * len(tables))
    own = "(SELECT coalesce(max(sequence), 0) FROM audit.writes WHERE author = ?)"
    others = f"SELECT 1 FROM audit.writes WHERE table_name IN ({marks or 'NULL'}) AND sequence > {own} LIMIT 1"  # noqa: S608
    if asset in cut_short(connection) or connection.execute(others, [*tables, asset]).fetchall():
        return set()
    query = "SELECT passed, judged_by FROM audit.executions WHERE asset = ? ORDER BY rowid DESC LIMIT 1"
    passed, judged_by = (connection.execute(query, [asset]).fetchall() or [(None, None)])[0]
    return set(passed.split(",")) if passed and judged_by == code_digest() else set()


def last_write(connection: duckdb.DuckDBPyConnection, asset: str, table: str) -> datetime | None:
    """When the asset last changed something in the table."""
    query = "SELECT max(written_at) FROM audit.writes WHERE author_kind = 'asset' AND author = ? AND table_name = ?"
    found: datetime | None = connection.execute(query, [asset, table]).fetchall()[0][0]
    return found


def record_execution(connection: duckdb.DuckDBPyConnection, run: Execution) -> None:
    """Add one execution to the trail."""
    seen = [None] * 4 if run.seen is None else astuple(run.seen)
    passed = None if run.passed is None else ",".join(run.passed)
    values = [run.run_id, run.asset, run.started_at, run.finished_at, run.state, run.rows, run.error, *seen, passed, code_digest()]
    _insert(connection, EXECUTIONS, values)


def last_executions(connection: duckdb.DuckDBPyConnection) -> dict[str, Execution]:
    """The latest execution of every asset; none in a store of a version that kept none."""
    if not stored_columns(connection, EXECUTIONS):
        return {}
    rows = connection.execute(
        "SELECT asset, run_id, started_at, finished_at, state, rows, error, passed FROM audit.executions "
        "QUALIFY row_number() OVER (PARTITION BY asset ORDER BY started_at DESC) = 1"
    ).fetchall()
    return {row[0]: Execution(*(*row[:7], None, _names(row[7]))) for row in rows}


def _names(passed: str | None) -> tuple[str, ...] | None:
    return None if passed is None else tuple(filter(None, passed.split(",")))


def read_watermarks(connection: duckdb.DuckDBPyConnection) -> dict[str, date]:
    """The session that each asset of the store has reached."""
    return dict(connection.execute("SELECT asset, watermark FROM audit.watermarks").fetchall())


def seen_of_market(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The number of the last write to the market store that each asset of this store saw in its last execution that did not fail."""
    if not stored_columns(connection, EXECUTIONS):
        return {}
    query = (
        "SELECT asset, arg_max(seen_market, rowid) FROM audit.executions WHERE state <> 'failed' AND seen_market IS NOT NULL GROUP BY asset"
    )
    return dict(connection.execute(query).fetchall())


def cut_short(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The assets whose execution ended after its last write and before its end, as when its process was killed."""
    if not stored_columns(connection, EXECUTIONS):
        return set()
    last = "SELECT author, arg_max(run_id, sequence) AS run_id FROM audit.writes WHERE author_kind = 'asset' GROUP BY author"
    ended = "FROM audit.executions AS e WHERE e.asset = last.author AND e.run_id = last.run_id"
    rows = connection.execute(f"SELECT author FROM ({last}) AS last WHERE NOT EXISTS ({ended})").fetchall()  # noqa: S608
    return {row[0] for row in rows}


def _insert(connection: duckdb.DuckDBPyConnection, table: TableSchema, values: Sequence[object]) -> None:
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table_identifier(table)} ({quoted_list(table.column_names)}) VALUES ({marks})", values)  # noqa: S608
