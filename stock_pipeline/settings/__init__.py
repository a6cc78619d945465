"""The settings: loading in one file, a file per section. Read when a program starts, never at import."""

from stock_pipeline.settings.automation import AutomationSettings, TaskSettings
from stock_pipeline.settings.backtest import BacktestSettings
from stock_pipeline.settings.datasets import DatasetSettings
from stock_pipeline.settings.drift import DriftSettings
from stock_pipeline.settings.features import FeatureSettings
from stock_pipeline.settings.labels import LabelSettings
from stock_pipeline.settings.loading import FILE_NAME, FILE_VARIABLE, PREFIX, Settings, load_settings, settings_file
from stock_pipeline.settings.maintenance import MaintenanceSettings
from stock_pipeline.settings.models import ModelSettings
from stock_pipeline.settings.performance import PerformanceSettings
from stock_pipeline.settings.quality import QualitySettings
from stock_pipeline.settings.registry import PromotionSettings, RegistrySettings, RetentionSettings, RetrainingSettings
from stock_pipeline.settings.schedule import ScheduleSettings
from stock_pipeline.settings.source import IbkrSettings, SourceSettings, YahooSettings

__all__ = [
    "FILE_NAME",
    "FILE_VARIABLE",
    "PREFIX",
    "AutomationSettings",
    "BacktestSettings",
    "DatasetSettings",
    "DriftSettings",
    "FeatureSettings",
    "IbkrSettings",
    "LabelSettings",
    "MaintenanceSettings",
    "ModelSettings",
    "PerformanceSettings",
    "PromotionSettings",
    "QualitySettings",
    "RegistrySettings",
    "RetentionSettings",
    "RetrainingSettings",
    "ScheduleSettings",
    "Settings",
    "SourceSettings",
    "TaskSettings",
    "YahooSettings",
    "load_settings",
    "settings_file",
]
