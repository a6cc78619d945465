import base64
from datetime import date

import dagster as dg
import polars as pl

from stock_pipeline.core.table_schema import Column, TableSchema
from stock_pipeline.orchestration.context import StageOutput
from stock_pipeline.orchestration.reporting import (
    MOST_ROWS,
    PREVIEW_ROWS,
    chart,
    column_schema,
    frame_shown,
    output_metadata,
    preview,
)
from stock_pipeline.storage import upsert

SCHEMA = TableSchema(
    store="ml",
    room="made_up",
    name="things",
    description="Things.",
    columns=(Column("name", pl.String, "what it is called"), Column("weight", pl.Float64, "in kilograms", nullable=True)),
    key=("name",),
    session_column=None,
)
DAY = date(2024, 5, 3)


def test_columns_are_shown_with_type_description_and_constraints() -> None:
    name, weight = column_schema(SCHEMA).columns
    assert (name.name, name.type, name.description) == ("name", "String", "what it is called")
    assert (name.constraints.nullable, name.constraints.unique) == (False, True)
    assert (weight.name, weight.type, weight.description) == ("weight", "Float64", "in kilograms")
    assert (weight.constraints.nullable, weight.constraints.unique) == (True, False)


def test_a_part_of_a_key_is_not_shown_as_unique() -> None:
    schema = TableSchema(
        store="ml", room="s", name="n", description="", columns=SCHEMA.columns, key=("name", "weight"), session_column=None
    )
    assert [column.constraints.unique for column in column_schema(schema).columns] == [False, False]


def test_a_picture_is_shown_from_its_own_bytes() -> None:
    shown = chart(b"\x89PNG")
    assert isinstance(shown, dg.MarkdownMetadataValue)
    assert shown.md_str == f"![chart](data:image/png;base64,{base64.b64encode(bytes([0x89]) + b'PNG').decode()})"


def test_a_table_shows_its_first_rows_with_dates_as_text_and_floats_rounded() -> None:
    frame = pl.DataFrame({"day": [DAY] * 99, "value": [1 / 3] * 99, "n": range(99)})
    shown = frame_shown(frame)
    assert isinstance(shown, dg.TableMetadataValue)
    assert len(shown.records) == MOST_ROWS
    assert shown.records[1].data == {"day": "2024-05-03", "value": 0.33333, "n": 1}
    assert [(column.name, column.type) for column in shown.schema.columns] == [("day", "String"), ("value", "Float64"), ("n", "Int64")]


def test_a_table_without_rows_says_so() -> None:
    assert frame_shown(pl.DataFrame(schema={"n": pl.Int64})) == dg.MetadataValue.md("no rows")


def test_nulls_are_shown_as_nulls() -> None:
    shown = frame_shown(pl.DataFrame({"n": [None, 1]}))
    assert isinstance(shown, dg.TableMetadataValue)
    assert [record.data for record in shown.records] == [{"n": None}, {"n": 1}]


def test_a_product_shows_facts_then_pictures_then_tables_and_leaves_out_what_is_not_known() -> None:
    output = StageOutput(
        writes=(upsert(SCHEMA, SCHEMA.empty()),),
        watermark=DAY,
        charts=lambda: {"curve": b"PNG"},
        tables={"rows": pl.DataFrame({"n": [1]})},
        facts={"count": 3, "unknown": None, "kind": "x"},
    )
    shown = output_metadata(output)
    assert list(shown) == ["count", "kind", "curve", "rows"]
    assert (shown["count"], shown["kind"]) == (3, "x")


def test_a_preview_shows_the_first_rows_written_to_the_table() -> None:
    rows = SCHEMA.validate(pl.DataFrame({"name": [f"n{i}" for i in range(99)], "weight": [1.0] * 99}))
    (shown,) = preview(StageOutput(writes=(upsert(SCHEMA, rows),), watermark=DAY), SCHEMA).values()
    assert isinstance(shown, dg.TableMetadataValue)
    assert [record.data["name"] for record in shown.records] == [f"n{i}" for i in range(PREVIEW_ROWS)]


def test_there_is_no_preview_of_a_table_that_was_not_written_to() -> None:
    assert preview(StageOutput(writes=(upsert(SCHEMA, SCHEMA.empty()),), watermark=DAY), SCHEMA) == {}
    assert preview(StageOutput(writes=(), watermark=DAY), SCHEMA) == {}
    assert preview(StageOutput(writes=(), watermark=DAY), None) == {}
