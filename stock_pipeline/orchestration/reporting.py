"""The parts of a result as Dagster shows them: the metadata of a materialisation, its data version, and the results of checks."""

import base64
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from stock_pipeline.core.charts import alternative_text
from stock_pipeline.core.errors import StockPipelineError
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.orchestration.context import CheckOutcome, Facts, StageOutput
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.orchestration.stage import CheckSpec, Key, Stage

UP_TO_DATE = CheckSpec("up_to_date", "The table has reached the session that the run works as of.", warns=True)
LAST_EXECUTION = CheckSpec("last_execution", "The last execution did not fail. Where it did, downstream assets are made without it.")


def check_specs(stage: Stage, key: Key) -> list[CheckSpec]:
    """The checks of an asset: the first key of a stage has all of them, the others only ``up_to_date``."""
    if key != stage.keys[0]:
        return [UP_TO_DATE]
    made = [LAST_EXECUTION] if stage.tolerates_failure else []
    return [UP_TO_DATE, *made, *(spec for check in stage.checks for spec in check.specs)]


def check_results(result: StageResult, key: Key) -> Iterator[dg.AssetCheckResult]:
    """The result of each check in ``check_specs``."""
    reached: Facts = {"reached": str(result.reached), "as_of": str(result.wanted)}
    made = CheckOutcome(result.error is None, {} if result.error is None else {"reason": result.error})
    outcomes = {UP_TO_DATE.name: CheckOutcome(result.up_to_date, reached), LAST_EXECUTION.name: made, **result.checks}
    for spec in check_specs(result.stage, key):
        verdict = outcomes[spec.name]
        facts = {name: frame_shown(value) if isinstance(value, pl.DataFrame) else shown(value) for name, value in verdict.facts.items()}
        severity = dg.AssetCheckSeverity.WARN if spec.warns else dg.AssetCheckSeverity.ERROR
        yield dg.AssetCheckResult(
            passed=verdict.passed, check_name=spec.name, asset_key=dg.AssetKey(key), severity=severity, metadata=facts
        )


def metadata_of(result: StageResult, key: Key) -> dict[str, Any]:
    """The metadata of an asset's materialisation for the web UI; charts and rows where they are new."""
    table, output = result.stage.table_of(key), result.output
    facts: dict[str, Any] = {"result": _result(result), "watermark": str(result.reached)}
    if output is not None and result.state == "succeeded":
        facts |= output_metadata(output) if key == result.stage.keys[0] else preview(output, table)
    if table is not None:
        facts["dagster/row_count"] = result.progress.counts[table.qualified_name]
    return facts | {"seconds": round(result.seconds, 3)}


def data_version(result: StageResult, key: Key) -> str:
    """The data version of an asset: the number of the last write to its table, or of its own where it has none."""
    table, progress = result.stage.table_of(key), result.progress
    return str(progress.last_write if table is None else progress.versions[table.qualified_name])


def _result(result: StageResult) -> str:
    if result.state == "failed":
        return "failed; what is stored was made before"
    if result.state == "up_to_date":
        return "up to date"
    if result.remade is not None:
        return f"rebuilt: {result.remade}"
    without_rows = result.stage.tables and result.output is not None and not result.output.writes
    return "nothing to make for this session" if without_rows else "brought up to date"


MOST_ROWS = 50  # of a table shown in the web UI
PREVIEW_ROWS = 20
MOST_LETTERS = 120  # of a cell
LETTERS_OF_A_LINE = 40  # a longer text of a cell may be broken into lines


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


def chart(content: bytes) -> dg.MarkdownMetadataValue:
    """A PNG file that the web UI shows, with the text that the file has for who cannot see it."""
    said = re.sub(r"([\\\[\]])", r"\\\1", alternative_text(content))  # brackets would end the text
    return dg.MetadataValue.md(f"![{said}](data:image/png;base64,{base64.b64encode(content).decode()})")


def shown(value: Any) -> Any:
    """A figure as the web UI shows it: to four significant digits, or whole where it is a whole number; anything else as it is."""
    return float(f"{value:.4g}") if isinstance(value, float) and not value.is_integer() else value


def frame_shown(frame: pl.DataFrame) -> dg.MetadataValue[Any]:
    """The first rows of a frame as a table, each in one line as far as its texts are short."""
    head = frame.head(MOST_ROWS).with_columns(pl.selectors.temporal().cast(pl.String))
    if head.is_empty():
        return dg.MetadataValue.md("no rows")
    columns = [dg.TableColumn(name, type=str(dtype)) for name, dtype in frame.schema.items()]
    records = [dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in head.to_dicts()]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _cell(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= LETTERS_OF_A_LINE:
        return value.replace(" ", "\u00a0")  # where the web UI breaks no line
    if isinstance(value, str) and len(value) > MOST_LETTERS:
        return f"{value[: MOST_LETTERS - 1].rstrip()}…"  # which would run off the page; the stored table has it in full
    return shown(value)


def output_metadata(output: StageOutput) -> dict[str, Any]:
    """The metadata of an output: facts first, then charts, then tables, which may be long.

    Raises:
        StockPipelineError: two of them have one name, so that only one would be seen.
    """
    facts = {name: shown(value) for name, value in output.facts.items() if value is not None}
    charts = {name: chart(content) for name, content in output.charts().items()}
    tables = {name: frame_shown(frame) for name, frame in output.tables.items()}
    twice = [name for name, count in Counter([*facts, *charts, *tables]).items() if count > 1]
    if twice:
        raise StockPipelineError(f"the output has more than one fact, chart or table named {', '.join(twice)}; give each its own name")
    return {**facts, **charts, **tables}


def preview(output: StageOutput, schema: TableSchema | None) -> dict[str, Any]:
    """The first rows written to a table; nothing where none were."""
    written = next((write.frame for write in output.writes if write.schema is schema), None)
    return {} if written is None or written.is_empty() else {"rows": frame_shown(written.head(PREVIEW_ROWS))}
