"""Every setting with its default, from ``stock_pipeline.yaml`` and ``STOCK_PIPELINE_*`` variables.

The environment wins over the file; nested settings are written with two underscores, as in
``STOCK_PIPELINE_SCHEDULE__TIME``. Nothing is read when this module is imported.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError, YamlConfigSettingsSource

from stock_pipeline.core.errors import InputError
from stock_pipeline.settings.automation import AutomationSettings
from stock_pipeline.settings.backtest import BacktestSettings
from stock_pipeline.settings.datasets import DatasetSettings
from stock_pipeline.settings.drift import DriftSettings
from stock_pipeline.settings.features import FeatureSettings
from stock_pipeline.settings.kinds import Seconds
from stock_pipeline.settings.labels import LabelSettings
from stock_pipeline.settings.maintenance import MaintenanceSettings
from stock_pipeline.settings.models import ModelSettings
from stock_pipeline.settings.performance import PerformanceSettings
from stock_pipeline.settings.quality import QualitySettings
from stock_pipeline.settings.registry import RegistrySettings
from stock_pipeline.settings.schedule import ScheduleSettings
from stock_pipeline.settings.source import SourceSettings
from stock_pipeline.settings.trading import TradingSettings

PREFIX = "STOCK_PIPELINE_"
FILE_NAME = "stock_pipeline.yaml"
FILE_VARIABLE = "STOCK_PIPELINE_SETTINGS"


class Settings(BaseSettings):
    """All settings. The keys of ``stock_pipeline.yaml`` have the same names and nesting."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(Path("data"), description="data directory: both stores, models, backups, reports, MLflow and Dagster")
    exchange: str = Field("XNYS", description="exchange whose calendar counts, by its ISO 10383 code")
    lock_wait_seconds: Seconds = Field(120, description="how long to wait for a store that another process is writing")
    source: SourceSettings = SourceSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    automation: AutomationSettings = AutomationSettings()
    quality: QualitySettings = QualitySettings()
    features: FeatureSettings = FeatureSettings()
    labels: LabelSettings = LabelSettings()
    datasets: DatasetSettings = DatasetSettings()
    models: ModelSettings = ModelSettings()
    registry: RegistrySettings = RegistrySettings()
    trading: TradingSettings = TradingSettings()
    performance: PerformanceSettings = PerformanceSettings()
    backtest: BacktestSettings = BacktestSettings()
    drift: DriftSettings = DriftSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What was passed in wins over the environment, the environment over the file."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=settings_file())


def settings_file() -> Path:
    """The settings file: ``stock_pipeline.yaml`` in the working directory unless STOCK_PIPELINE_SETTINGS names another."""
    return Path(os.environ.get(FILE_VARIABLE, FILE_NAME))


def load_settings() -> Settings:
    """The settings as file and environment have them now.

    Raises:
        InputError: the file cannot be read, or a value is unknown or of the wrong type; the sentence names file or
            variable, field and value.
    """
    import yaml

    _refuse_unknown_variables()
    if FILE_VARIABLE in os.environ and not settings_file().is_file():
        raise InputError(f"{FILE_VARIABLE} names {settings_file()}, which is not a file; correct or unset it")
    try:
        return Settings()
    except ValidationError as error:
        raise InputError(_sentence(error)) from error
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{settings_file()} cannot be read as YAML: {problem}") from error
    except SettingsError as error:
        raise InputError(_unreadable_variable(error)) from error
    except ValueError as error:
        raise InputError(f"{settings_file()} does not hold settings by name; write lines such as `home: data`") from error


def _refuse_unknown_variables() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {FILE_VARIABLE}
    for variable, value in os.environ.items():
        if variable.startswith(PREFIX) and variable.split("__")[0] not in known:
            raise InputError(f"variable {variable} is {value!r}, but there is no such setting; see docs/settings.md for the names")


def _sentence(error: ValidationError) -> str:
    problem = error.errors()[0]
    field = ".".join(str(part) for part in problem["loc"])
    variable = _variable_of(problem["loc"])
    place = f"file {settings_file()}" if variable is None else f"variable {variable}"
    value = "" if problem["type"] == "missing" else f" is {problem['input']!r}"
    return f"{place}: field {field}{value}, but {_remedy(problem['type'], problem['msg'])}"


def _variable_of(path: Sequence[str | int]) -> str | None:
    """The variable that gave the field: its own, one of a field below it, or one that holds the section above it as JSON."""
    own = (PREFIX + "__".join(map(str, path))).upper()
    for name, value in os.environ.items():
        variable = name.upper()
        if variable == own or variable.startswith(f"{own}__"):
            return name
        inner = str(path[variable.count("__") + 1]) if own.startswith(f"{variable}__") else None
        if inner is not None and (inner.isdecimal() or f'"{inner}"' in value):
            return name
    return None


def _unreadable_variable(error: SettingsError) -> str:
    found = re.search(r'field "(\w+)"', str(error))
    path = found[1] if found else ""
    variable = next((name for name in os.environ if name.upper() == f"{PREFIX}{path}".upper()), f"{PREFIX}{path}".upper())
    cause = f": {error.__cause__}" if error.__cause__ else ""
    return f"variable {variable}: field {path} is {os.environ.get(variable)!r}, which cannot be read as JSON{cause}"


def _remedy(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such setting; see docs/settings.md for the names"
    sentence = message.removeprefix("Value error, ")
    return sentence[0].lower() + sentence[1:]
