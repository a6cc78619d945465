"""Writing: validate, then one transaction with the rows, the audit rows and the watermark. A repeated write changes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from stock_pipeline.core.content_hash import content_hash
from stock_pipeline.core.errors import RefusedWriteError
from stock_pipeline.core.session_blocks import session_blocks
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.storage import audit
from stock_pipeline.storage.audit import Author, WriteReport
from stock_pipeline.storage.database import Database
from stock_pipeline.storage.ddl import quoted, quoted_list, table_identifier
from stock_pipeline.storage.modes import Write
from stock_pipeline.storage.schema_sync import changes_to

STAGED, NEWS, GONE = "staged_rows", "new_rows", "gone_rows"
MOST_ROWS_AT_ONCE = 250_000


def write_all(database: Database, author: Author, writes: Sequence[Write], watermark: date | None) -> list[WriteReport]:
    """Write every table of one author in one transaction, with its audit rows and, for an asset, its watermark.

    Missing tables and columns are made first. Tables that hold the rows already are left untouched and get no audit row.

    Args:
        database: the store.
        author: for the audit trail.
        writes: a write for each table.
        watermark: the session that an asset has reached, which only moves it forward; None: no watermark is written.

    Raises:
        SchemaError: a frame does not fit its table, or a column is stored with another type.
        RefusedWriteError: a payload is empty or has shrunk, or its table has changed since it was read.
    """
    staged = [(write, write.schema.validate(write.frame)) for write in writes]
    for write, frame in staged:
        if frame.is_empty() and not write.may_be_empty:
            raise RefusedWriteError(f"{write.schema.qualified_name}: the payload of {author.name} has no rows, so nothing was written")
    hashes = [content_hash(frame, write.schema.row_key) for write, frame in staged]
    with database.writer() as connection:
        for statement in [statement for write in writes for statement in changes_to(connection, write.schema)]:
            connection.execute(statement)
        reports = [_write_one(connection, write, frame, digest) for (write, frame), digest in zip(staged, hashes, strict=True)]
        for report in reports:
            if report.changed:
                audit.record_write(connection, author, report)
        if watermark is not None:
            audit.advance_watermark(connection, author, watermark)
    return reports


def _write_one(connection: duckdb.DuckDBPyConnection, write: Write, frame: pl.DataFrame, digest: str) -> WriteReport:
    schema = write.schema
    if write.expected_version not in (None, audit.version_of(connection, schema.qualified_name)):
        raise RefusedWriteError(f"{schema.qualified_name} was changed by another process in the meantime; try again")
    done = [_write_part(connection, write, part) for part in _parts(write, frame)]
    return WriteReport(
        schema.qualified_name,
        frame.height,
        inserted=sum(inserted for inserted, _, _ in done),
        deleted=sum(deleted for _, deleted, _ in done),
        quarantined=write.quarantined,
        first_session=min((first for _, _, first in done if first is not None), default=None),
        content_hash=digest,
    )


def _parts(write: Write, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The payload in parts of whole sessions that DuckDB can sort and compare in little memory, or as it is."""
    session = write.schema.session_column
    if session is None or session not in write.replaces or frame.height <= MOST_ROWS_AT_ONCE:
        yield frame
        return
    for first, last in session_blocks(frame[session], MOST_ROWS_AT_ONCE):
        yield frame.filter(pl.col(session).is_between(first, last))


def _write_part(connection: duckdb.DuckDBPyConnection, write: Write, frame: pl.DataFrame) -> tuple[int, int, date | None]:
    """Write part of a payload; returns rows inserted, rows deleted, and the first session of either."""
    schema, among = write.schema, _among(write, frame)
    connection.register(STAGED, frame)
    try:
        if not _has_stored_rows(connection, schema, among):
            inserted, first_session = _insert(connection, schema, STAGED)
            return inserted, 0, first_session
        deleted, first_deleted = 0, None
        if not write.keeps_stored:
            _refuse_shrunken(connection, write, among)
            deleted, first_deleted = _delete_replaced(connection, write, among)
        inserted, first_inserted = _insert(connection, schema, _select_new_rows(connection, schema, among))
        return inserted, deleted, min((day for day in (first_deleted, first_inserted) if day is not None), default=None)
    finally:
        connection.unregister(STAGED)


@dataclass(frozen=True)
class _Among:
    """An SQL condition on the stored rows (``held``) that every row to be compared with the payload fulfils, and its values."""

    condition: str
    values: tuple[date, ...] = ()


def _among(write: Write, frame: pl.DataFrame) -> _Among:
    # Rows are stored in the order of their sessions, so DuckDB need not look at what lies outside of the payload's.
    session = write.schema.session_column
    if session is None or session not in write.replaces or frame.is_empty():
        return _Among("true")
    return _Among(f"held.{quoted(session)} BETWEEN ? AND ?", (frame[session].min(), frame[session].max()))  # type: ignore[arg-type]


def _has_stored_rows(connection: duckdb.DuckDBPyConnection, schema: TableSchema, among: _Among) -> bool:
    query = f"SELECT 1 FROM {table_identifier(schema)} AS held WHERE {among.condition} LIMIT 1"  # noqa: S608
    return bool(connection.execute(query, among.values).fetchall())


def _refuse_shrunken(connection: duckdb.DuckDBPyConnection, write: Write, among: _Among) -> None:
    replaces = write.replaces
    if not write.least_share:
        return
    places = ", ".join(f"staged.{quoted(name)}" for name in replaces)
    counted = f"SELECT {quoted_list(replaces)}, count(*) AS n FROM {{}} AS held WHERE {{}} GROUP BY ALL"  # noqa: S608
    shrunken = connection.execute(
        f"SELECT staged.n, held.n, {places} FROM ({counted.format(STAGED, 'true')}) AS staged "  # noqa: S608
        f"JOIN ({counted.format(table_identifier(write.schema), among.condition)}) AS held ON {_equal(replaces)} "
        f"WHERE staged.n < held.n * ? ORDER BY staged.n / held.n, {places} LIMIT 1",
        [*among.values, write.least_share],
    ).fetchall()
    if shrunken:
        staged, held, *place = shrunken[0]
        raise RefusedWriteError(
            f"{write.schema.qualified_name}: the payload has {staged} rows of {', '.join(map(str, place))} where {held} are stored, "
            f"less than the required {write.least_share:.0%}, so nothing was written"
        )


def _delete_replaced(connection: duckdb.DuckDBPyConnection, write: Write, among: _Among) -> tuple[int, date | None]:
    """Delete the stored rows that the payload replaces or lacks; returns how many they are and their first session."""
    replaces, schema = write.replaces, write.schema
    in_scope = f"EXISTS (SELECT 1 FROM {STAGED} AS staged WHERE {_equal(replaces)})" if replaces else "true"  # noqa: S608
    session = "NULL::DATE" if schema.session_column is None else f"held.{quoted(schema.session_column)}"
    # Found once and deleted by their place, as the comparison of all columns is what takes time.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {GONE} AS SELECT held.rowid AS place, {session} AS session "  # noqa: S608
        f"FROM {table_identifier(schema)} AS held WHERE {among.condition} AND {in_scope} "
        f"AND NOT EXISTS (SELECT 1 FROM {STAGED} AS staged WHERE {_equal(schema.row_key)} AND {_same(schema)})",
        among.values,
    )
    first_session = connection.execute(f"SELECT min(session) FROM {GONE}").fetchall()[0][0]  # noqa: S608
    deleted = _count(connection, f"DELETE FROM {table_identifier(schema)} WHERE rowid IN (SELECT place FROM {GONE})")  # noqa: S608
    connection.execute(f"DROP TABLE {GONE}")
    return deleted, first_session


def _select_new_rows(connection: duckdb.DuckDBPyConnection, schema: TableSchema, among: _Among) -> str:
    """Select the payload's rows that are not stored yet; returns the name of their table."""
    # What is left of the payload's keys after the deletion is identical to the payload, so the key alone decides what is new.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {NEWS} AS SELECT {quoted_list(schema.column_names)} FROM {STAGED} AS staged WHERE NOT EXISTS "  # noqa: S608
        f"(SELECT 1 FROM {table_identifier(schema)} AS held WHERE {among.condition} AND {_equal(schema.row_key)})",
        among.values,
    )
    return NEWS


def _insert(connection: duckdb.DuckDBPyConnection, schema: TableSchema, rows: str) -> tuple[int, date | None]:
    """Insert the rows of a table; returns how many they are and their first session."""
    first = "min(NULL::DATE)" if schema.session_column is None else f"min({quoted(schema.session_column)})"
    first_session = connection.execute(f"SELECT {first} FROM {rows}").fetchall()[0][0]  # noqa: S608
    columns, order = quoted_list(schema.column_names), quoted_list(_storage_order(schema))
    insertion = f"INSERT INTO {table_identifier(schema)} ({columns}) SELECT {columns} FROM {rows} ORDER BY {order}"  # noqa: S608
    inserted = _count(connection, insertion)
    connection.execute(f"DROP TABLE IF EXISTS {NEWS}")
    return inserted, first_session


def _storage_order(schema: TableSchema) -> tuple[str, ...]:
    # Sessions first: nights are appended and read by range, so DuckDB can skip what lies outside.
    return tuple(sorted(schema.row_key, key=lambda name: name != schema.session_column))


def _equal(names: Sequence[str]) -> str:
    return " AND ".join(f"held.{quoted(name)} = staged.{quoted(name)}" for name in names)


def _same(schema: TableSchema) -> str:
    others = [name for name in schema.column_names if name not in schema.row_key]
    return " AND ".join(f"held.{quoted(name)} IS NOT DISTINCT FROM staged.{quoted(name)}" for name in others) or "true"


def _count(connection: duckdb.DuckDBPyConnection, statement: str, values: Sequence[date] = ()) -> int:
    row = connection.execute(statement, list(values)).fetchall()[0]
    return int(row[0])
