"""Table schemas and views as SQL. Identifiers come from them alone and are quoted; no other text is ever spliced in."""

from collections.abc import Iterable

import polars as pl

from stock_pipeline.core.table_schema import Column, DataType, TableSchema, View

SQL_TYPES: dict[DataType, str] = {
    pl.String: "VARCHAR",
    pl.Date: "DATE",
    pl.Boolean: "BOOLEAN",
    pl.Int8: "TINYINT",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.Float32: "FLOAT",
    pl.Float64: "DOUBLE",
    pl.Datetime("us"): "TIMESTAMP",
}


def quoted(name: str) -> str:
    """The name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quoted_list(names: Iterable[str]) -> str:
    """The names as quoted SQL identifiers with commas between."""
    return ", ".join(quoted(name) for name in names)


def table_identifier(table: TableSchema | View) -> str:
    """The quoted name of the table or view with its SQL schema."""
    return f"{quoted(table.room)}.{quoted(table.name)}"


def create_statement(schema: TableSchema) -> str:
    """The CREATE TABLE statement of the schema.

    There is no primary key: DuckDB would back it by an index, and indexes are where its known corruptions cluster. Writes
    keep the key unique instead.
    """
    lines = ",\n".join(f"    {_definition(column)}{'' if column.nullable else ' NOT NULL'}" for column in schema.columns)
    return f"CREATE TABLE {table_identifier(schema)} (\n{lines}\n);"


def add_column_statement(schema: TableSchema, column: Column) -> str:
    """The statement that gives an existing table a new column, null in its existing rows."""
    return f"ALTER TABLE {table_identifier(schema)} ADD COLUMN {_definition(column)}"


def allow_nulls_statement(schema: TableSchema, name: str) -> str:
    """The statement that lets a stored column be null."""
    return f"ALTER TABLE {table_identifier(schema)} ALTER COLUMN {quoted(name)} DROP NOT NULL"


def view_statement(view: View) -> str:
    """The statement that creates the view, or replaces the one of that name."""
    if view.parameters:
        return f"CREATE OR REPLACE MACRO {table_identifier(view)}({quoted_list(view.parameters)}) AS TABLE {view.sql}"
    return f"CREATE OR REPLACE VIEW {table_identifier(view)} AS {view.sql}"


def _definition(column: Column) -> str:
    return f"{quoted(column.name)} {SQL_TYPES[column.dtype]}"
