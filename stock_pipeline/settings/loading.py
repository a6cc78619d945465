"""Every setting with its default, from ``stock_pipeline.yaml`` and ``STOCK_PIPELINE_*`` variables.

The environment wins over the file; nested settings are written with two underscores, as in
``STOCK_PIPELINE_SCHEDULE__TIME``. Nothing is read when this module is imported. No error is chained to those raised here: Dagster
shows chained errors as well, and those of pydantic and of the parser quote their input.
"""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from stock_pipeline.core.calendar import known_exchange
from stock_pipeline.core.errors import InputError
from stock_pipeline.settings.automation import AutomationSettings
from stock_pipeline.settings.backtest import BacktestSettings
from stock_pipeline.settings.datasets import DatasetSettings
from stock_pipeline.settings.drift import DriftSettings
from stock_pipeline.settings.features import FeatureSettings
from stock_pipeline.settings.file import SettingsFile
from stock_pipeline.settings.kinds import Seconds, no_larger_than_sensible
from stock_pipeline.settings.labels import LabelSettings
from stock_pipeline.settings.models import ModelSettings
from stock_pipeline.settings.paths import Folder
from stock_pipeline.settings.performance import PerformanceSettings
from stock_pipeline.settings.problems import NO_SUCH_SETTING, Place, kind_of, sentence
from stock_pipeline.settings.quality import QualitySettings
from stock_pipeline.settings.registry import RegistrySettings
from stock_pipeline.settings.retention import RetentionSettings
from stock_pipeline.settings.schedule import ScheduleSettings
from stock_pipeline.settings.source import SourceSettings
from stock_pipeline.settings.trading import TradingSettings
from stock_pipeline.settings.universe import UniverseSettings

PREFIX = "STOCK_PIPELINE_"
FILE_NAME = "stock_pipeline.yaml"
FILE_VARIABLE = "STOCK_PIPELINE_SETTINGS"


class Settings(BaseSettings):
    """All settings. The keys of ``stock_pipeline.yaml`` have the same names and nesting."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, allow_inf_nan=False)

    home: Folder = Field(
        Path("data"), validate_default=True, description="data directory: both stores, models, backups, reports, MLflow and Dagster"
    )
    exchange: Annotated[str, AfterValidator(known_exchange)] = Field(
        "XNYS", description="exchange whose calendar counts, by its ISO 10383 code"
    )
    lock_wait_seconds: Seconds = Field(120, description="how long to wait for a store that another process is writing")
    source: SourceSettings = SourceSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    automation: AutomationSettings = AutomationSettings()
    quality: QualitySettings = QualitySettings()
    universe: UniverseSettings = UniverseSettings()
    features: FeatureSettings = FeatureSettings()
    labels: LabelSettings = LabelSettings()
    datasets: DatasetSettings = DatasetSettings()
    models: ModelSettings = ModelSettings()
    registry: RegistrySettings = RegistrySettings()
    trading: TradingSettings = TradingSettings()
    performance: PerformanceSettings = PerformanceSettings()
    backtest: BacktestSettings = BacktestSettings()
    drift: DriftSettings = DriftSettings()
    retention: RetentionSettings = RetentionSettings()

    _sensible = field_validator("*")(no_larger_than_sensible)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources of settings: arguments win over the environment, the environment over the file."""
        return init_settings, env_settings, SettingsFile(settings_cls, settings_file())


def settings_file() -> Path:
    """The settings file: ``stock_pipeline.yaml`` in the working directory unless STOCK_PIPELINE_SETTINGS names another."""
    return Path(os.path.expanduser(os.environ.get(FILE_VARIABLE, FILE_NAME)))  # noqa: PTH111  (which raises nothing)


def load_settings() -> Settings:
    """The settings as file and environment have them now, with absolute paths.

    Raises:
        InputError: the file cannot be read, or a value is unknown or of the wrong type; the sentence names file or
            variable, field and, where there is such a setting, the value.
    """
    _refuse_unknown_variables()
    file = settings_file()
    if not os.path.isfile(file):  # noqa: PTH113  (which raises nothing)
        if FILE_VARIABLE in os.environ:
            raise InputError(f"{FILE_VARIABLE} names {file}, which is not a file; correct or unset it")
        if os.path.lexists(file):
            raise InputError(f"{file.absolute()} is not a file, but settings are read from it; make it one, or remove it")
    place = Place(PREFIX, settings_file())
    try:
        return Settings()
    except ValidationError as error:
        problem = sentence(error, Settings, place)
    except SettingsError:
        problem = place.unreadable(Settings)
    raise InputError(problem)


def place_of(setting: str) -> str:
    """The place that gave a setting, for messages about its value, as in "variable STOCK_PIPELINE_SOURCE__NAME" for ``source.name``."""
    return Place(PREFIX, settings_file()).of(setting.split("."))


def _refuse_unknown_variables() -> None:
    for variable in os.environ:
        name = variable.upper()  # as pydantic takes them in any case
        if name.startswith(PREFIX) and variable != FILE_VARIABLE and _names_nothing(name):
            raise InputError(f"variable {variable} is set, but {NO_SUCH_SETTING}")


def _names_nothing(variable: str) -> bool:
    """Whether the variable names no section and no setting, or a part of a setting that has none."""
    first, *parts = variable.removeprefix(PREFIX).lower().split("__")
    kind = kind_of(Settings, (first,))
    return kind == "unknown" or (kind == "setting" and bool(parts))
