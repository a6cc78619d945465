"""The audit trail of a store: every write that changed something, every task, and how far each asset has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

import duckdb

if TYPE_CHECKING:
    from stock_pipeline.storage.writing import Author, WriteReport

TaskState = Literal["succeeded", "up to date", "failed"]


@dataclass(frozen=True)
class TaskRun:
    """One execution of an asset: when, how it ended, what it wrote."""

    asset: str
    run_id: str
    started_at: datetime
    finished_at: datetime
    state: TaskState
    rows: int
    error: str | None = None


@dataclass(frozen=True)
class Watermark:
    """The last session that an asset has brought its tables to, and the version of the code and the settings (JSON) that did it."""

    session: date
    code_version: str
    settings: str


def record_write(connection: duckdb.DuckDBPyConnection, author: "Author", report: "WriteReport") -> None:
    """Add the row that says what a write did, inside the write's own transaction."""
    connection.execute(
        "INSERT INTO audit.writes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            author.run_id,
            author.asset,
            report.table,
            author.written_at,
            report.rows_in,
            report.inserted,
            report.deleted,
            report.quarantined,
            report.first_session,
            report.content_hash,
        ],
    )


def advance_watermark(connection: duckdb.DuckDBPyConnection, author: "Author", watermark: date) -> None:
    """Move the asset's watermark forward to the session, made by its version of the code and its settings; it never moves back."""
    held = read_watermark(connection, author.asset)
    reached = watermark if held is None else max(watermark, held.session)
    made = Watermark(reached, author.code_version, author.settings)
    if made == held:
        return
    connection.execute("DELETE FROM audit.watermarks WHERE asset = ?", [author.asset])
    connection.execute("INSERT INTO audit.watermarks VALUES (?, ?, ?, ?)", [author.asset, reached, author.code_version, author.settings])


def read_watermark(connection: duckdb.DuckDBPyConnection, asset: str) -> Watermark | None:
    """How far the asset has brought its tables."""
    rows = connection.execute("SELECT watermark, code_version, settings FROM audit.watermarks WHERE asset = ?", [asset]).fetchall()
    return Watermark(*rows[0]) if rows else None


def last_watermark(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The last session that any asset of the store has reached."""
    found: date | None = connection.execute("SELECT max(watermark) FROM audit.watermarks").fetchall()[0][0]
    return found


def changed_from(connection: duckdb.DuckDBPyConnection, tables: Sequence[str], since: datetime) -> date | None:
    """The earliest session whose rows in any of the tables have changed after the moment ``since``.

    A change that has no session, because its table has none or because it only took rows away, may concern every one of them.
    """
    marks = ", ".join("?" * len(tables))
    query = f"SELECT min(coalesce(first_session, DATE '0001-01-01')) FROM audit.writes WHERE written_at > ? AND table_name IN ({marks})"  # noqa: S608
    found: date | None = connection.execute(query, [since, *tables]).fetchall()[0][0]
    return found


def last_completed_task(connection: duckdb.DuckDBPyConnection, asset: str) -> datetime | None:
    """When the latest execution of the asset that did not fail began."""
    query = "SELECT max(started_at) FROM audit.task_runs WHERE asset = ? AND state <> 'failed'"
    found: datetime | None = connection.execute(query, [asset]).fetchall()[0][0]
    return found


def last_write(connection: duckdb.DuckDBPyConnection, asset: str, table: str) -> datetime | None:
    """When the asset last changed something in the table."""
    query = "SELECT max(written_at) FROM audit.writes WHERE asset = ? AND table_name = ?"
    found: datetime | None = connection.execute(query, [asset, table]).fetchall()[0][0]
    return found


def record_task(connection: duckdb.DuckDBPyConnection, run: TaskRun) -> None:
    """Add one execution to the trail."""
    connection.execute(
        "INSERT INTO audit.task_runs VALUES (?, ?, ?, ?, ?, ?, ?)",
        [run.run_id, run.asset, run.started_at, run.finished_at, run.state, run.rows, run.error],
    )


def last_task_runs(connection: duckdb.DuckDBPyConnection) -> dict[str, TaskRun]:
    """The latest execution of every asset."""
    rows = connection.execute(
        "SELECT asset, run_id, started_at, finished_at, state, rows, error FROM audit.task_runs "
        "QUALIFY row_number() OVER (PARTITION BY asset ORDER BY started_at DESC) = 1"
    ).fetchall()
    return {row[0]: TaskRun(*row) for row in rows}
