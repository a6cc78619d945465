"""Stages executed as everyone executes them, but strictly: a body that reads what its stage does not declare fails."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.definitions import all_stages
from stock_pipeline.orchestration.execution import Outcome, Run, execute_stage
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores

MOMENT = datetime(2024, 1, 2, 3, 4, 5)


def ticking(start: datetime = MOMENT) -> "Iterator[datetime]":
    """Moments a second apart."""
    while True:
        start += timedelta(seconds=1)
        yield start


def stage_of(table: TableSchema | tuple[str, str], settings: Settings) -> Stage:
    """The stage that bears the table's key, or the key given, as the settings have it."""
    key = table if isinstance(table, tuple) else key_of(table)
    return next(stage for stage in all_stages(settings) if key in stage.keys)


def execute(
    stage: Stage, stores: Stores, settings: Settings, as_of: date | None = None, moment: datetime = MOMENT, **asked: Any
) -> Outcome:
    """Execute one stage.

    Args:
        stage: what to execute.
        stores: where.
        settings: as they are.
        as_of: the session to work as of; the last ingested when None.
        moment: what the clock says.
        asked: further options of the run.
    """
    return execute_stage(stage, Run(stores, settings, RunOptions(as_of=as_of, **asked), "a-run", lambda: moment, strict=True))


def rows_of(outcome: Outcome, table: TableSchema) -> Any:
    """The frame that the outcome's product has for a table."""
    assert outcome.product is not None
    return next(write.frame for write in outcome.product.writes if write.schema.qualified_name == table.qualified_name)


def execute_all(stages: Sequence[Stage], stores: Stores, settings: Settings, as_of: date | None = None, **asked: Any) -> list[Outcome]:
    """Execute stages in their order; what one raises is raised."""
    return [execute(stage, stores, settings, as_of, **asked) for stage in stages]
