"""Bars brought into a store by executing the stage of ingestion."""

from collections.abc import Callable
from datetime import date
from typing import Any

from stock_pipeline.core.columns import SESSION
from stock_pipeline.market_data.assets import STAGES
from stock_pipeline.orchestration.execution import StageResult
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.market_rows import bars
from stock_pipeline_tests.harness.plain_settings import plain_settings
from stock_pipeline_tests.harness.stages import execute

(INGEST,) = STAGES
Bring = Callable[..., StageResult]


def bringing(stores: Stores, stage: Stage = INGEST) -> Bring:
    """A function that ingests rows, by way of a Parquet file; what else it is given are settings of the source."""
    path = stores.home / "bars.parquet"

    def brought(*rows: dict[str, Any], as_of: date | None = None, **source: Any) -> StageResult:
        bars(*rows).rename({SESSION: "date"}).write_parquet(path)
        return execute(stage, stores, plain_settings(stores.home, source=source), as_of, source="files", path=str(path))

    return brought
