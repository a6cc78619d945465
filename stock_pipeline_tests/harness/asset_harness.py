"""A made-up asset to execute, and what an execution of it leaves behind."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from stock_pipeline.maintenance.tables import BACKUPS
from stock_pipeline.orchestration.asset_factory import build_asset
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.progress import Event, listening
from stock_pipeline.orchestration.resources import resources
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.settings import Settings
from stock_pipeline.storage import Stores, upsert
from stock_pipeline_tests.factories.panels import sessions
from stock_pipeline_tests.harness.figures import EMPTY
from stock_pipeline_tests.harness.plain_settings import plain_settings

DAYS = sessions(5)
KEY = dg.AssetKey(key_of(BACKUPS))
NAME = "maintenance/backups"
Body = Callable[[StageContext], StageOutput | None]


def declared(body: Body, **values: Any) -> Stage:
    """An asset of the table of backups with that body."""
    return replace(Stage((key_of(BACKUPS),), "Made up.", (BACKUPS,), reads=(), body=body), **values)


def output(size: int = 5, watermark: date = DAYS[3]) -> StageOutput:
    """One row, and something to look at."""
    row = {"as_of": DAYS[3], "store": "ml", "path": "p", "size_bytes": size, "sha256": "00"}
    return StageOutput(
        writes=(upsert(BACKUPS, pl.DataFrame([row], schema=BACKUPS.dtypes)),),
        watermark=watermark,
        charts=lambda: {"curve": EMPTY},
        facts={"size": size},
    )


@dataclass
class Workshop:
    """Stores in which ingestion has reached the fourth session, an instance, and what listeners heard."""

    home: Path
    stores: Stores
    instance: dg.DagsterInstance
    heard: list[Event] = field(default_factory=list)

    def run(self, body: Body, code_version: str = "1", retries: int = 0, **scope: object) -> dg.ExecuteInProcessResult:
        """Execute an asset with that body."""
        return self.run_all(declared(body, code_version=code_version), retries=retries, **scope)

    def run_all(self, *assets: Stage, retries: int = 0, **scope: object) -> dg.ExecuteInProcessResult:
        """Execute assets in one run."""
        settings = self.settings_with(retries)
        with listening(self.heard.append):
            return dg.materialize(
                [build_asset(asset, assets, settings) for asset in assets],
                resources=resources(settings),
                instance=self.instance,
                run_config={"resources": {"scope": {"config": scope}}, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
            )

    def settings_with(self, retries: int = 0, **sections: object) -> Settings:
        """Settings by which a failed asset is tried again so many times."""
        limits = {"retries": retries, "retry_delay_seconds": 1}
        return plain_settings(self.home, automation={"nightly": limits, "training": limits}, **sections)

    def trail(self) -> list[tuple[str, int, str | None]]:
        """State, rows and error of every task of the asset, oldest first."""
        with self.stores.ml.reader() as connection:
            rows = connection.execute("SELECT state, rows, error FROM audit.executions WHERE asset = ? ORDER BY started_at", [NAME])
            return rows.fetchall()
