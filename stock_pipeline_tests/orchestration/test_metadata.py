import base64
from datetime import date

import dagster as dg
import polars as pl
import pytest

from stock_pipeline.core.charts import headline, new_figure, png
from stock_pipeline.core.errors import StockPipelineError
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
    shown,
)
from stock_pipeline.storage import upsert
from stock_pipeline_tests.harness.figures import EMPTY

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


def test_a_picture_is_shown_from_its_own_bytes_with_what_it_says_in_words() -> None:
    figure, (ax,) = new_figure()
    headline(ax, "Costs [a side], \\")
    content = png(figure, "They are low")
    found = chart(content)
    assert isinstance(found, dg.MarkdownMetadataValue)
    assert found.md_str == rf"![Costs \[a side\], \\. They are low](data:image/png;base64,{base64.b64encode(content).decode()})"


def test_a_table_shows_its_first_rows_with_dates_as_text_and_floats_rounded() -> None:
    frame = pl.DataFrame(
        {
            "day": [DAY] * 99,
            "value": [1 / 3] * 99,
            "small": pl.Series([1.23456e-5] * 99, dtype=pl.Float32),
            "count": [122_560.0] * 99,
            "n": range(99),
        }
    )
    found = frame_shown(frame)
    assert isinstance(found, dg.TableMetadataValue)
    assert len(found.records) == MOST_ROWS
    assert found.records[1].data == {"day": "2024-05-03", "value": 0.3333, "small": 1.235e-05, "count": 122_560.0, "n": 1}
    assert [(column.name, column.type) for column in found.schema.columns] == [
        ("day", "Date"),
        ("value", "Float64"),
        ("small", "Float32"),
        ("count", "Float64"),
        ("n", "Int64"),
    ]


def test_a_table_without_rows_says_so() -> None:
    assert frame_shown(pl.DataFrame(schema={"n": pl.Int64})) == dg.MetadataValue.md("no rows")


def test_nulls_are_shown_as_nulls() -> None:
    found = frame_shown(pl.DataFrame({"n": [None, 1]}))
    assert isinstance(found, dg.TableMetadataValue)
    assert [record.data for record in found.records] == [{"n": None}, {"n": 1}]


def test_a_product_shows_facts_then_pictures_then_tables_and_leaves_out_what_is_not_known() -> None:
    output = StageOutput(
        writes=(upsert(SCHEMA, SCHEMA.empty()),),
        watermark=DAY,
        charts=lambda: {"curve": EMPTY},
        tables={"table": pl.DataFrame({"n": [1]})},
        facts={"count": 3, "unknown": None, "kind": "x", "rank_ic": 0.009717346521819561, "rows": 117_974.0},
    )
    found = output_metadata(output)
    assert list(found) == ["count", "kind", "rank_ic", "rows", "curve", "table"]
    assert (found["count"], found["kind"], found["rank_ic"], found["rows"]) == (3, "x", 0.009717, 117_974.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1234.0, True, "0.123456", 3])
def test_what_has_no_digits_to_spare_is_shown_as_it_is(value: object) -> None:
    assert repr(shown(value)) == repr(value)


def test_a_chart_does_not_hide_behind_a_table_of_its_name() -> None:
    output = StageOutput(
        writes=(), watermark=DAY, charts=lambda: {"weights": EMPTY}, tables={"weights": pl.DataFrame({"n": [1]})}, facts={"rows": 1}
    )
    with pytest.raises(StockPipelineError, match="more than one fact, chart or table named weights; give each its own name"):
        output_metadata(output)


def test_a_row_of_short_texts_is_one_line() -> None:
    rows = frame_shown(pl.DataFrame({"name": ["Berkshire Hathaway"], "reason": ["less volatile than 95 % of all the stocks there are"]}))
    assert isinstance(rows, dg.TableMetadataValue)
    assert rows.records[0].data == {"name": "Berkshire\u00a0Hathaway", "reason": "less volatile than 95 % of all the stocks there are"}


def test_a_text_that_would_run_off_the_page_is_cut() -> None:
    (record,) = frame_shown(pl.DataFrame({"reason": ["so " * 100]})).value.records
    assert record.data["reason"] == "so " * 39 + "so…"


def test_a_preview_shows_the_first_rows_written_to_the_table() -> None:
    rows = SCHEMA.validate(pl.DataFrame({"name": [f"n{i}" for i in range(99)], "weight": [1.0] * 99}))
    (found,) = preview(StageOutput(writes=(upsert(SCHEMA, rows),), watermark=DAY), SCHEMA).values()
    assert isinstance(found, dg.TableMetadataValue)
    assert [record.data["name"] for record in found.records] == [f"n{i}" for i in range(PREVIEW_ROWS)]


def test_there_is_no_preview_of_a_table_that_was_not_written_to() -> None:
    assert preview(StageOutput(writes=(upsert(SCHEMA, SCHEMA.empty()),), watermark=DAY), SCHEMA) == {}
    assert preview(StageOutput(writes=(), watermark=DAY), SCHEMA) == {}
    assert preview(StageOutput(writes=(), watermark=DAY), None) == {}
