"""Frames, pictures and schemas as Dagster metadata."""

import base64
from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.orchestration.night import Product

MOST_ROWS = 50  # of a table shown in the web UI
PREVIEW_ROWS = 20
SAID_ANEW = frozenset({"result", "watermark", "seconds"})  # by every materialisation, whatever it made


def column_schema(schema: TableSchema) -> dg.TableSchema:
    """The columns with their descriptions, as the web UI shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=str(column.dtype),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=schema.key == (column.name,)),
            )
            for column in schema.columns
        ]
    )


def picture(content: bytes) -> dg.MarkdownMetadataValue:
    """A PNG file that the web UI shows."""
    return dg.MetadataValue.md(f"![picture](data:image/png;base64,{base64.b64encode(content).decode()})")


def table(frame: pl.DataFrame) -> dg.MetadataValue[Any]:
    """The first rows of a frame as a table."""
    shown = frame.head(MOST_ROWS).with_columns(pl.selectors.temporal().cast(pl.String), pl.selectors.float().round(5))
    if shown.is_empty():
        return dg.MetadataValue.md("no rows")
    columns = [dg.TableColumn(name, type=str(dtype)) for name, dtype in shown.schema.items()]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in shown.to_dicts()], schema=dg.TableSchema(columns))


def product_metadata(product: Product) -> dict[str, Any]:
    """Everything that people look at: facts first, then pictures, then tables, which may be long."""
    shown: dict[str, Any] = {name: value for name, value in product.facts.items() if value is not None}
    shown |= {name: picture(content) for name, content in product.pictures().items()}
    return shown | {name: table(frame) for name, frame in product.tables.items()}


def preview(product: Product, schema: TableSchema | None) -> dict[str, Any]:
    """The first rows that were written to a table that has no picture of its own; nothing where none were."""
    written = next((write.frame for write in product.writes if write.schema is schema), None)
    return {} if written is None or written.is_empty() else {"rows": table(written.head(PREVIEW_ROWS))}


def carried_over(previous: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, dg.MetadataValue[Any]]:
    """What an earlier materialisation showed, to be shown again where nothing has changed."""
    return {name: value for name, value in previous.items() if not name.startswith("dagster/") and name not in SAID_ANEW}
