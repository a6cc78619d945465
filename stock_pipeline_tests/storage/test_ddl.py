from dataclasses import replace

import polars as pl
import pytest

from stock_pipeline.settings import Settings
from stock_pipeline.stages import all_stages
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


def test_a_column_is_added_without_a_value_in_the_rows_that_are_there() -> None:
    column = replace(CATALOGUED.columns[-1], nullable=False)
    assert add_column_statement(CATALOGUED, column) == 'ALTER TABLE "trial"."catalogued" ADD COLUMN "first" FLOAT'


@pytest.mark.parametrize(("name", "identifier"), [("symbol", '"symbol"'), ('a"b', '"a""b"'), ("x; DROP TABLE y", '"x; DROP TABLE y"')])
def test_an_identifier_is_quoted(name: str, identifier: str) -> None:
    assert quoted(name) == identifier
    assert table_identifier(replace(NAMES, name=name)) == f'"trial".{identifier}'
    assert quoted_list([name, name]) == f"{identifier}, {identifier}"


def test_every_type_in_use_has_an_sql_type() -> None:
    tables = {table for stage in all_stages(Settings.model_construct()) for table in stage.tables}
    assert all(column.dtype in SQL_TYPES for table in tables for column in table.columns)
    assert pl.Datetime("us") in SQL_TYPES
