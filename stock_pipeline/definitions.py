"""The table of contents: every stage in the order in which data travels, then jobs, schedules, sensors, resources."""

from collections.abc import Sequence
from types import ModuleType

import dagster as dg

from stock_pipeline.market_data import assets as market_data
from stock_pipeline.market_data.checks import bar_checks
from stock_pipeline.orchestration.asset_factory import build_asset
from stock_pipeline.orchestration.automation import automation_sensors, ingestion_job, ingestion_schedule
from stock_pipeline.orchestration.resources import resources
from stock_pipeline.orchestration.stage_asset import Rhythm, StageAsset
from stock_pipeline.settings import Settings, load_settings

STAGES: Sequence[ModuleType] = (market_data,)
STAGE_ASSETS: tuple[StageAsset, ...] = tuple(asset for stage in STAGES for asset in stage.ASSETS)
EVERYTHING = "whole_journey"


def groups(rhythm: Rhythm) -> list[str]:
    """The asset groups whose assets have that rhythm."""
    return list(dict.fromkeys(key[0] for asset in STAGE_ASSETS if asset.rhythm == rhythm for key in asset.keys))


def build_definitions(settings: Settings) -> dg.Definitions:
    """All that Dagster knows of the project, for these settings."""
    ingestion = ingestion_job("market_data", settings)
    return dg.Definitions(
        assets=[build_asset(asset, settings) for asset in STAGE_ASSETS],
        asset_checks=bar_checks(settings),
        jobs=[ingestion, dg.define_asset_job(EVERYTHING, selection=dg.AssetSelection.all(), description="Source to drift report, once.")],
        schedules=[ingestion_schedule(ingestion, settings)],
        sensors=automation_sensors({"nightly": groups("nightly"), "training": groups("training")}, settings) if groups("nightly") else [],
        resources=resources(settings),
        executor=dg.multiprocess_executor.configured(
            {"max_concurrent": 2, "start_method": {"forkserver": {"preload_modules": ["stock_pipeline.definitions"]}}}
        ),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location, with the settings as they are when Dagster loads it."""
    return build_definitions(load_settings())
