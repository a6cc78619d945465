"""The settings: loading in one file, a file per section. Read when a program starts, never at import."""

from stock_pipeline.settings.automation import TaskSettings
from stock_pipeline.settings.datasets import DatasetSettings
from stock_pipeline.settings.drift import DriftSettings
from stock_pipeline.settings.features import FeatureSettings
from stock_pipeline.settings.labels import LabelSettings
from stock_pipeline.settings.loading import FILE_NAME, FILE_VARIABLE, PREFIX, Settings, load_settings, place_of, settings_file
from stock_pipeline.settings.quality import QualitySettings
from stock_pipeline.settings.registry import PromotionSettings
from stock_pipeline.settings.source import IbkrSettings, SourceSettings, YahooSettings
from stock_pipeline.settings.universe import SecurityKind, UniverseSettings

__all__ = [
    "FILE_NAME",
    "FILE_VARIABLE",
    "PREFIX",
    "DatasetSettings",
    "DriftSettings",
    "FeatureSettings",
    "IbkrSettings",
    "LabelSettings",
    "PromotionSettings",
    "QualitySettings",
    "SecurityKind",
    "Settings",
    "SourceSettings",
    "TaskSettings",
    "UniverseSettings",
    "YahooSettings",
    "load_settings",
    "place_of",
    "settings_file",
]
