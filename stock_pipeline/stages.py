"""Every stage of the project in the order in which data travels. It imports nothing of Dagster, so that commands start quickly."""

from stock_pipeline.backtest import assets as backtest
from stock_pipeline.datasets import assets as datasets
from stock_pipeline.drift import assets as drift
from stock_pipeline.features import assets as features
from stock_pipeline.labels import assets as labels
from stock_pipeline.maintenance import assets as maintenance
from stock_pipeline.market_data import assets as market_data
from stock_pipeline.models import assets as models
from stock_pipeline.orchestration.stage import Stage
from stock_pipeline.performance import assets as performance
from stock_pipeline.portfolio import assets as portfolio
from stock_pipeline.predictions import assets as predictions
from stock_pipeline.registry import assets as registry
from stock_pipeline.settings import Settings
from stock_pipeline.universe import assets as universe


def all_stages(settings: Settings) -> tuple[Stage, ...]:
    """Every stage in the order in which data travels; the columns of some of their tables follow from the settings."""
    return (
        *market_data.STAGES,
        *universe.STAGES,
        *features.stages(settings),
        *labels.stages(settings),
        *datasets.STAGES,
        *models.stages(settings),
        *registry.STAGES,
        *predictions.STAGES,
        *performance.STAGES,
        *portfolio.STAGES,
        *backtest.STAGES,
        *drift.STAGES,
        *maintenance.STAGES,
    )
