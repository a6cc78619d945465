from dataclasses import replace

import polars as pl
import pytest

from stock_pipeline.core.table_schema import Column
from stock_pipeline.definitions import TABLES
from stock_pipeline.storage.ddl import SQL_TYPES, add_column_statement, create_statement, quoted, quoted_list, table_identifier
from stock_pipeline_tests.factories.trial_tables import CATALOGUED, NAMES, READINGS


def test_a_statement_holds_every_column_with_type_and_nullability_and_no_key() -> None:
    assert create_statement(READINGS) == (
        'CREATE TABLE "trial"."readings" (\n'
        '    "symbol" VARCHAR NOT NULL,\n'
        '    "session" DATE NOT NULL,\n'
        '    "value" DOUBLE,\n'
        '    "note" VARCHAR\n'
        ");"
    )


def test_a_table_with_columns_from_a_catalogue_is_made_with_its_key_alone() -> None:
    assert (
        create_statement(CATALOGUED)
        == 'CREATE TABLE "trial"."catalogued" (\n    "symbol" VARCHAR NOT NULL,\n    "session" DATE NOT NULL\n);'
    )
    added = add_column_statement(CATALOGUED, CATALOGUED.columns[-1])
    assert added == 'ALTER TABLE "trial"."catalogued" ADD COLUMN "first" FLOAT'


@pytest.mark.parametrize(("name", "identifier"), [("symbol", '"symbol"'), ('a"b', '"a""b"'), ("x; DROP TABLE y", '"x; DROP TABLE y"')])
def test_an_identifier_is_quoted(name: str, identifier: str) -> None:
    assert quoted(name) == identifier
    assert table_identifier(replace(NAMES, name=name)) == f'"trial".{identifier}'
    assert quoted_list([name, name]) == f"{identifier}, {identifier}"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.qualified_name)
def test_every_type_in_use_has_an_sql_type(table: object) -> None:
    columns: tuple[Column, ...] = table.columns  # type: ignore[attr-defined]
    assert all(column.dtype in SQL_TYPES for column in columns)
    assert pl.Datetime("us") in SQL_TYPES
