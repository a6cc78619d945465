"""Stores that a benchmark brings bars into, and stages that it executes as everyone does, but for the checks after them."""

from dataclasses import replace
from pathlib import Path

from stock_pipeline.market_data.assets import STAGES
from stock_pipeline.orchestration.execution import Run, execute_stage
from stock_pipeline.orchestration.options import RunOptions
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.settings import Settings, load_settings
from stock_pipeline.storage import Stores, open_stores

(INGESTION,) = STAGES


def fresh_stores(home: Path) -> Stores:
    """Both stores, empty."""
    stores = open_stores(home)
    stores.prepare(INGESTION.tables, INGESTION.views)
    return stores


def make(stage: Stage, stores: Stores, settings: Settings, options: RunOptions | None = None) -> int:
    """Execute a stage, from asking how far it has come to its rows in the audit trail; what its checks judge is not what is measured.

    Returns:
        The rows that it made of its first table.

    Raises:
        RuntimeError: there was nothing to make, so that nothing was measured.
    """
    outcome = execute_stage(replace(stage, checks=()), Run(stores, settings, options or RunOptions(), run_id="benchmark"))
    if outcome.state != "succeeded":
        raise RuntimeError(f"{stage.name} had nothing to make")
    return outcome.reports[0].rows_in


def bring_file(stores: Stores, file: Path, settings: Settings | None = None) -> None:
    """Ingest a file of bars, with what the settings name beside it.

    Raises:
        RuntimeError: it holds nothing that the stores do not have.
    """
    settings = (settings or load_settings()).model_copy(update={"home": stores.home})
    make(INGESTION, stores, settings, RunOptions(source="files", path=str(file)))
