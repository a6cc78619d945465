"""The table of contents: every stage in the order in which data travels, then jobs, schedules, sensors, resources."""

from collections.abc import Sequence

import dagster as dg

from stock_pipeline.backtest import assets as backtest
from stock_pipeline.command_line.retraining import retrain_within_dagster
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.datasets import assets as datasets
from stock_pipeline.drift import assets as drift
from stock_pipeline.drift.sensors import drift_retraining
from stock_pipeline.features import assets as features
from stock_pipeline.features.checks import feature_checks
from stock_pipeline.labels import assets as labels
from stock_pipeline.labels.checks import label_checks
from stock_pipeline.maintenance import assets as maintenance
from stock_pipeline.market_data import assets as market_data
from stock_pipeline.market_data.checks import bar_checks
from stock_pipeline.market_data.sensors import watchdog
from stock_pipeline.models import assets as models
from stock_pipeline.orchestration.asset_factory import build_asset
from stock_pipeline.orchestration.automation import automation_sensors, ingestion_job, ingestion_schedule
from stock_pipeline.orchestration.resources import resources
from stock_pipeline.orchestration.retraining_job import retraining_job
from stock_pipeline.orchestration.stage_asset import Rhythm, StageAsset
from stock_pipeline.performance import assets as performance
from stock_pipeline.performance.sensors import performance_schedule
from stock_pipeline.portfolio import assets as portfolio
from stock_pipeline.predictions import assets as predictions
from stock_pipeline.registry import assets as registry
from stock_pipeline.registry.sensors import damaged_models
from stock_pipeline.settings import Settings, load_settings


def stage_assets(settings: Settings) -> tuple[StageAsset, ...]:
    """Every stage's assets in the order in which data travels; the columns of some of their tables follow from the settings."""
    return (
        *market_data.ASSETS,
        *features.assets(settings),
        *labels.assets(settings),
        *datasets.ASSETS,
        *models.assets(settings),
        *registry.ASSETS,
        *predictions.ASSETS,
        *performance.ASSETS,
        *portfolio.ASSETS,
        *backtest.ASSETS,
        *drift.ASSETS,
        *maintenance.ASSETS,
    )


# As they are by default. Which assets there are does not depend on settings.
STAGE_ASSETS: Sequence[StageAsset] = stage_assets(Settings.model_construct())
TABLES: Sequence[TableSchema] = tuple(dict.fromkeys(table for asset in STAGE_ASSETS for table in asset.tables))
WHOLE_JOURNEY = "whole_journey"


def groups(rhythm: Rhythm) -> list[str]:
    """The asset groups whose assets have that rhythm."""
    return list(dict.fromkeys(key[0] for asset in STAGE_ASSETS if asset.rhythm == rhythm for key in asset.keys))


def build_definitions(settings: Settings) -> dg.Definitions:
    """All that Dagster knows of the project, for these settings."""
    ingestion = ingestion_job(market_data.ASSETS[0].keys[0][0], settings)
    journey = dg.define_asset_job(WHOLE_JOURNEY, selection=dg.AssetSelection.all(), description="From source to drift report.")
    return dg.Definitions(
        assets=[build_asset(asset, settings) for asset in stage_assets(settings)],
        asset_checks=[*bar_checks(settings), *feature_checks(settings), *label_checks(settings)],
        jobs=[ingestion, journey, retraining_job(settings, build_definitions, WHOLE_JOURNEY, retrain_within_dagster)],
        schedules=[ingestion_schedule(ingestion, settings), performance_schedule(settings)],
        sensors=[
            *automation_sensors({"nightly": groups("nightly"), "training": groups("training")}, settings),
            watchdog(settings),
            damaged_models(settings),
            drift_retraining(settings),
        ],
        resources=resources(settings),
        executor=dg.multiprocess_executor.configured(
            {"max_concurrent": 2, "start_method": {"forkserver": {"preload_modules": ["stock_pipeline.definitions"]}}}
        ),
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location, with the settings as they are when Dagster loads it."""
    return build_definitions(load_settings())
