"""The table of contents of the code location: the assets of every stage, then jobs, schedules, sensors, resources."""

import dagster as dg

from stock_pipeline.checked_settings import checked_settings
from stock_pipeline.drift.sensors import drift_retraining
from stock_pipeline.market_data import assets as market_data
from stock_pipeline.market_data.preflight import refuse_sources_unfit_for_a_schedule
from stock_pipeline.market_data.sensors import watchdog
from stock_pipeline.models.catalogue import CATALOGUE
from stock_pipeline.orchestration.asset_factory import build_asset
from stock_pipeline.orchestration.automation import FULL_RUN, automation_sensors, ingestion_job, ingestion_schedule
from stock_pipeline.orchestration.resources import resources
from stock_pipeline.orchestration.unfinished import unfinished_assets
from stock_pipeline.performance.sensors import performance_schedule
from stock_pipeline.registry.jobs import training_job
from stock_pipeline.registry.sensors import damaged_models
from stock_pipeline.settings import Settings
from stock_pipeline.stages import all_stages


def build_definitions(settings: Settings) -> dg.Definitions:
    """The Dagster definitions of the project for these settings."""
    stages = all_stages(settings)
    ingestion = ingestion_job(market_data.STAGES[0].keys[0][0], settings)
    full_run = dg.define_asset_job(FULL_RUN, selection=dg.AssetSelection.all(), description="From source to drift report.")
    left_out = _models_left_out(settings)
    return dg.Definitions(
        assets=[build_asset(stage, stages, settings, left_out) for stage in stages],
        jobs=[ingestion, full_run, training_job(settings, stages)],
        schedules=[ingestion_schedule(ingestion, settings), performance_schedule(settings)],
        sensors=[
            *automation_sensors(stages, settings),
            watchdog(settings),
            unfinished_assets(settings, stages, left_out),
            damaged_models(settings),
            drift_retraining(settings),
        ],
        resources=resources(settings),
        executor=dg.multiprocess_executor.configured(
            {"max_concurrent": 2, "start_method": {"forkserver": {"preload_modules": ["stock_pipeline.definitions"]}}}
        ),
    )


def _models_left_out(settings: Settings) -> list[str]:
    """The names of the stages of models that the settings do not train."""
    names = settings.models.names
    return [f"models/{entry.name}" for entry in CATALOGUE if names is not None and entry.name not in names]


@dg.definitions
def defs() -> dg.Definitions:
    """The code location, with the settings as they are when Dagster loads it.

    Raises:
        InputError: a setting cannot be used, or would make every night fail.
    """
    settings = checked_settings()
    refuse_sources_unfit_for_a_schedule(settings)
    return build_definitions(settings)
