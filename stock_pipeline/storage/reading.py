"""Reading a table as a Polars frame. Columns come from the schema's allow-list; values are bound, never spliced in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb
import polars as pl

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO
from stock_pipeline.core.errors import SchemaError
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.storage.ddl import quoted, quoted_list, table_identifier

Scalar = str | int | float | date


@dataclass(frozen=True)
class Selection:
    """Which rows and columns of a table to read.

    ``first`` and ``last`` bound the session column, both included. ``known_on`` keeps of a versioned table the rows as they
    were known on that night. ``equals`` keeps rows whose column has one of the given values. ``distinct`` gives equal rows of
    the columns once, in the order of the columns.
    """

    columns: tuple[str, ...] | None = None
    first: date | None = None
    last: date | None = None
    known_on: date | None = None
    equals: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    distinct: bool = False


def read(connection: duckdb.DuckDBPyConnection, schema: TableSchema, selection: Selection) -> pl.DataFrame:
    """The selected rows, ordered by the table's key unless they are distinct.

    Raises:
        SchemaError: a column is not one of the table's, or the selection needs a column that the table does not have.
    """
    columns = schema.require(selection.columns or schema.column_names)
    where, values = _conditions(schema, selection)
    order = (*schema.key, KNOWN_FROM) if schema.versioned else schema.key
    present = columns
    # A column of a catalogue that no write has brought yet is missing in the file, and null in every row.
    if schema.open_columns:
        stored = stored_columns(connection, schema)
        present = tuple(name for name in columns if name in stored) or schema.key
    chosen, order = (f"DISTINCT {quoted_list(present)}", present) if selection.distinct else (quoted_list(present), order)
    query = f"SELECT {chosen} FROM {table_identifier(schema)} {where} ORDER BY {quoted_list(order)}"  # noqa: S608
    # Not connection.sql(query, params=...), which turns every value of the result into text on its way (60 times slower).
    frame = pl.DataFrame(connection.execute(query, values).to_arrow_table())
    absent = [pl.lit(None, schema.dtypes[name]).alias(name) for name in columns if name not in frame.columns]
    return frame.with_columns(absent).select(pl.col(name).cast(schema.dtypes[name]) for name in columns)


def stored_columns(connection: duckdb.DuckDBPyConnection, schema: TableSchema) -> set[str]:
    """The columns that the table has in the file."""
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?", [schema.stage, schema.name]
    ).fetchall()
    return {row[0] for row in rows}


def _conditions(schema: TableSchema, selection: Selection) -> tuple[str, list[Scalar]]:
    conditions: list[str] = []
    values: list[Scalar] = []
    for bound, operator in ((selection.first, ">="), (selection.last, "<=")):
        if bound is not None:
            if schema.session_column is None:
                raise SchemaError(f"{schema.qualified_name} has no session column to select by")
            conditions.append(f"{quoted(schema.session_column)} {operator} ?")
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
