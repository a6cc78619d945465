"""Brings the files of the stores up to their schemas: missing tables and columns, migrations, views."""

import hashlib
from collections.abc import Sequence

import duckdb

from stock_pipeline.core.atomic_files import replacing
from stock_pipeline.core.errors import SchemaError, StoreBusyError
from stock_pipeline.core.locks import exclusive
from stock_pipeline.core.table_schema import Column, TableSchema, View
from stock_pipeline.storage.database import Database
from stock_pipeline.storage.ddl import SQL_TYPES, add_column_statement, allow_nulls_statement, create_statement, quoted, view_statement
from stock_pipeline.storage.migrations import apply, missing_migrations
from stock_pipeline.storage.reading import StoredColumn, stored_columns
from stock_pipeline.storage.tables import OWN_TABLES, VIEWS

# The schemas that this process has found or made in each file, so that it need not open the file again.
_found: dict[tuple[str, int, int], set[TableSchema | View]] = {}


def prepare(database: Database, tables: Sequence[TableSchema], views: Sequence[View] = ()) -> None:
    """Bring a store's file up to the schemas of the tables and views, creating the file where it is missing.

    A missing column is added, null in existing rows. A column that the schema no longer has stays and may be null from then on. All of
    it happens in one transaction; where nothing is missing, the file is not opened for writing.

    Raises:
        SchemaError: a column is stored with another type, or a column of the key is missing.
        StockPipelineError: a migration applied earlier has been changed, or the store is newer than this program.
        StoreBusyError: another process held the store for the whole waiting time.
    """
    tables = tuple(dict.fromkeys((*OWN_TABLES, *tables, *(table for view in views for table in view.reads))))
    if not database.path.exists():
        _create(database, tables, views)
    identity = _identity(database)
    if _found.get(identity, set()).issuperset((*tables, *views)):
        return
    if _needs_changes(database, tables, views):
        with database.writer() as connection:
            _apply_schemas(connection, database, tables, views)
    _found.setdefault(identity, set()).update(tables, views)


def changes_to(connection: duckdb.DuckDBPyConnection, schema: TableSchema) -> list[str]:
    """The statements that bring the stored table up to its schema; none where it fits already.

    Raises:
        SchemaError: a column is stored with another type, or a column of the key is missing.
    """
    stored = stored_columns(connection, schema)
    if not stored:
        return [f"CREATE SCHEMA IF NOT EXISTS {quoted(schema.room)}", create_statement(schema)]
    for column in schema.columns:
        _refuse_other_type(schema, column, stored.get(column.name))
    nullable = {column.name for column in schema.columns if column.nullable}
    bound = [name for name, held in stored.items() if not held.nullable and (name in nullable or name not in schema.dtypes)]
    missing = [column for column in schema.columns if column.name not in stored]
    return [allow_nulls_statement(schema, name) for name in bound] + [add_column_statement(schema, column) for column in missing]


def _refuse_other_type(schema: TableSchema, column: Column, stored: StoredColumn | None) -> None:
    wanted = SQL_TYPES[column.dtype]
    held = None if stored is None else stored.sql_type
    if held != wanted and (held is not None or column.name in schema.key):
        raise SchemaError(
            f"column {column.name!r} of {schema.qualified_name} in the {schema.store} store is {held or 'missing'}, and its schema has "
            f"{wanted}; rewrite what is stored by a numbered migration in stock_pipeline/storage/migrations/{schema.store}"
        )


def _identity(database: Database) -> tuple[str, int, int]:
    """The identity of the file: a file put in its place, such as a restored backup, has another."""
    status = database.path.stat()
    return str(database.path.resolve()), status.st_dev, status.st_ino


def _create(database: Database, tables: Sequence[TableSchema], views: Sequence[View]) -> None:
    """Make the file, unless another process has just made it.

    DuckDB creates a file before it locks it, and cannot open one that is empty or unfinished. So the file is made
    beside its place, under a lock, and moved there when it is complete.
    """
    lock = database.path.with_name(f"{database.path.name}.lock")
    busy = StoreBusyError(f"another process is creating {database.path} and took longer than {database.wait_seconds:g} s")
    with exclusive(lock, lambda: busy, database.wait_seconds):
        if database.path.exists():
            return
        with replacing(database.path) as unfinished:
            made = Database(unfinished, database.store)
            with made.writer() as connection:
                _apply_schemas(connection, made, tables, views)


def _needs_changes(database: Database, tables: Sequence[TableSchema], views: Sequence[View]) -> bool:
    with database.reader() as connection:
        # Migrations first: one may be what a table needs to fit its schema.
        return bool(
            missing_migrations(connection, database)
            or any(changes_to(connection, table) for table in tables)
            or _outdated(connection, views)
        )


def _apply_schemas(connection: duckdb.DuckDBPyConnection, database: Database, tables: Sequence[TableSchema], views: Sequence[View]) -> None:
    for own in OWN_TABLES:
        _execute(connection, changes_to(connection, own))
    for step in missing_migrations(connection, database):
        apply(connection, step)
    for table in tables:
        _execute(connection, changes_to(connection, table))
    for view in _outdated(connection, views):
        _execute(connection, [f"CREATE SCHEMA IF NOT EXISTS {quoted(view.room)}", view_statement(view)])
        connection.execute("DELETE FROM audit.views WHERE name = ?", [view.qualified_name])
        connection.execute("INSERT INTO audit.views VALUES (?, ?)", [view.qualified_name, _sha256(view)])


def _execute(connection: duckdb.DuckDBPyConnection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.execute(statement)


def _outdated(connection: duckdb.DuckDBPyConnection, views: Sequence[View]) -> list[View]:
    """The views that are not made yet, or were made with another statement."""
    made = dict(connection.execute("SELECT name, sha256 FROM audit.views").fetchall()) if stored_columns(connection, VIEWS) else {}
    return [view for view in views if made.get(view.qualified_name) != _sha256(view)]


def _sha256(view: View) -> str:
    return hashlib.sha256(view_statement(view).encode()).hexdigest()
