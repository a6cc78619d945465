"""Reading a table as a Polars frame. Column names come from the schema's allow-list; values are bound, never spliced in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb
import polars as pl

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO
from stock_pipeline.core.errors import SchemaError
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.storage.ddl import SQL_TYPES, quoted, quoted_list, table_identifier

Scalar = str | int | float | date


@dataclass(frozen=True)
class Selection:
    """Which rows and columns of a table to read."""

    columns: tuple[str, ...] | None = None
    first: date | None = None  # of the session column, included
    last: date | None = None  # of the session column, included
    known_on: date | None = None  # of a versioned table the rows as they were known on that night
    equals: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)  # rows whose column has one of the given values
    latest: bool = False  # of all these the rows of the last session that has any
    distinct: bool = False  # equal rows of the columns once, in the order of the columns


def read(connection: duckdb.DuckDBPyConnection, schema: TableSchema, selection: Selection) -> pl.DataFrame:
    """The selected rows, ordered by the table's key unless they are distinct.

    A table that is not in the file has no rows, and a column that is not in it is null.

    Raises:
        SchemaError: a column is not one of the table's, or the selection needs a column that the table does not have.
    """
    columns = schema.require(selection.columns or schema.column_names)
    where, values = _conditions(schema, selection)
    stored = stored_columns(connection, schema)
    if not stored:
        return schema.empty().select(columns)
    chosen, order = (f"DISTINCT {quoted_list(columns)}", columns) if selection.distinct else (quoted_list(columns), schema.row_key)
    source = _source(schema, stored)
    if selection.latest:
        session = quoted(_session(schema))
        last = f"{session} = (SELECT max({session}) FROM {source} {where})"  # noqa: S608
        where, values = f"{where} AND {last}" if where else f"WHERE {last}", [*values, *values]
    query = f"SELECT {chosen} FROM {source} {where} ORDER BY {quoted_list(order)}"  # noqa: S608
    # Not connection.sql(query, params=...), which turns every value of the result into text on its way (60 times slower).
    frame = pl.DataFrame(connection.execute(query, values).to_arrow_table())
    return frame.select(pl.col(name).cast(schema.dtypes[name]) for name in columns)


@dataclass(frozen=True)
class StoredColumn:
    """A column as the file has it."""

    sql_type: str
    nullable: bool


def stored_columns(connection: duckdb.DuckDBPyConnection, schema: TableSchema) -> dict[str, StoredColumn]:
    """The columns of the table in the file, by name; none where there is no such table."""
    try:
        rows = connection.execute(f"DESCRIBE {table_identifier(schema)}").fetchall()
    except duckdb.CatalogException:
        return {}
    return {name: StoredColumn(sql_type, nullable == "YES") for name, sql_type, nullable, *_ in rows}


def _source(schema: TableSchema, stored: Collection[str]) -> str:
    absent = [column for column in schema.columns if column.name not in stored]
    nulls = "".join(f", NULL::{SQL_TYPES[column.dtype]} AS {quoted(column.name)}" for column in absent)
    return f"(SELECT *{nulls} FROM {table_identifier(schema)})" if absent else table_identifier(schema)  # noqa: S608


def _session(schema: TableSchema) -> str:
    if schema.session_column is None:
        raise SchemaError(f"{schema.qualified_name} has no session column to select by")
    return schema.session_column


def _conditions(schema: TableSchema, selection: Selection) -> tuple[str, list[Scalar]]:
    conditions: list[str] = []
    values: list[Scalar] = []
    for bound, operator in ((selection.first, ">="), (selection.last, "<=")):
        if bound is not None:
            conditions.append(f"{quoted(_session(schema))} {operator} ?")
            values.append(bound)
    if selection.known_on is not None:
        if not schema.versioned:
            raise SchemaError(f"{schema.qualified_name} keeps no versions, so it cannot be read as of a night")
        conditions.append(f"{quoted(KNOWN_FROM)} <= ? AND ({quoted(KNOWN_TO)} IS NULL OR {quoted(KNOWN_TO)} > ?)")
        values += [selection.known_on, selection.known_on]
    for name, allowed in selection.equals.items():
        schema.require([name])
        conditions.append(f"{quoted(name)} IN ({', '.join('?' * len(allowed))})" if allowed else "false")
        values += list(allowed)
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), values
