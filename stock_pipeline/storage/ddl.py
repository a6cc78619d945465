"""A table schema as SQL. Identifiers come from schemas alone and are quoted; nothing from outside is ever spliced in."""

from collections.abc import Iterable

import polars as pl

from stock_pipeline.core.table_schema import Column, DataType, TableSchema

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


def table_identifier(schema: TableSchema) -> str:
    """The table's quoted name with its SQL schema."""
    return f"{quoted(schema.stage)}.{quoted(schema.name)}"


def column_definition(column: Column) -> str:
    """One line of a CREATE TABLE statement."""
    return f"{quoted(column.name)} {SQL_TYPES[column.dtype]}{'' if column.nullable else ' NOT NULL'}"


def create_statement(schema: TableSchema) -> str:
    """The CREATE TABLE statement that a migration for this schema holds.

    There is no primary key: DuckDB would back it by an index, and indexes are where its known corruptions cluster. Writes
    keep the key unique instead. A table with open columns is created with its key alone.
    """
    columns = [c for c in schema.columns if not schema.open_columns or c.name in schema.key]
    lines = ",\n".join(f"    {column_definition(column)}" for column in columns)
    return f"CREATE TABLE {table_identifier(schema)} (\n{lines}\n);"


def add_column_statement(schema: TableSchema, column: Column) -> str:
    """The statement that gives an existing table a new column of an open schema."""
    return f"ALTER TABLE {table_identifier(schema)} ADD COLUMN {quoted(column.name)} {SQL_TYPES[column.dtype]}"
