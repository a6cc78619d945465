"""Stages executed as everyone executes them, but strictly: a body that reads what its stage does not declare fails."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

import polars as pl

from stock_pipeline.core.table_schema import StoreName, TableSchema
from stock_pipeline.orchestration.execution import Run, StageResult, execute_stage
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.stage import Key, Stage, key_of
from stock_pipeline.settings import Settings
from stock_pipeline.stages import all_stages
from stock_pipeline.storage import Author, Stores, Write, WriteReport
from stock_pipeline.storage.audit import Execution

MOMENT = datetime(2024, 1, 2, 3, 4, 5)
Death = Literal["before it writes", "after it has written"]


class KilledError(BaseException):
    """What ends an execution as a kill does: past everything that deals with errors."""


@dataclass(frozen=True)
class DyingStores(Stores):
    """Stores of a process that is killed before it writes, or after it has written and before it tells the audit trail."""

    death: Death

    def write(self, store: StoreName, author: Author, writes: Sequence[Write], watermark: date | None) -> list[WriteReport]:
        if self.death == "before it writes":
            raise KilledError(f"{author.name} before it writes")
        return super().write(store, author, writes, watermark)

    def record_executions(self, store: StoreName, *runs: Execution) -> None:
        raise KilledError(f"{[run.asset for run in runs]} before its trail in the {store} store")


def dying(stores: Stores, death: Death) -> Stores:
    """The stores, for an execution that ends in ``KilledError``."""
    return DyingStores(stores.home, stores.market, stores.ml, death)


def stage_of(table: TableSchema | Key, settings: Settings) -> Stage:
    """The stage that bears the table's key, or the key given, as the settings have it."""
    key = table if isinstance(table, tuple) else key_of(table)
    return next(stage for stage in all_stages(settings) if key in stage.keys)


def unchecked(stage: Stage) -> Stage:
    """The stage without its checks, which may take longer than its body."""
    return replace(stage, checks=())


def execute(
    stage: Stage, stores: Stores, settings: Settings, as_of: date | None = None, moment: datetime = MOMENT, **asked: Any
) -> StageResult:
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


def make(table: TableSchema | Key, stores: Stores, settings: Settings, as_of: date | None = None, **asked: Any) -> StageResult:
    """Execute the stage that makes a table; see ``execute``."""
    return execute(stage_of(table, settings), stores, settings, as_of, **asked)


def rows_of(result: StageResult, table: TableSchema) -> pl.DataFrame:
    """The frame that the outcome's product has for a table."""
    assert result.output is not None
    return next(write.frame for write in result.output.writes if write.schema.qualified_name == table.qualified_name)


def execute_all(stages: Sequence[Stage], stores: Stores, settings: Settings, as_of: date | None = None, **asked: Any) -> list[StageResult]:
    """Execute stages in their order; what one raises is raised."""
    return [execute(stage, stores, settings, as_of, **asked) for stage in stages]
