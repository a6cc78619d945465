"""Every setting with its default, from ``stock_pipeline.yaml`` and ``STOCK_PIPELINE_*`` variables.

The environment wins over the file; nested settings are written with two underscores, as in
``STOCK_PIPELINE_SCHEDULE__TIME``. Nothing is read when this module is imported.
"""

import os
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from stock_pipeline.core.errors import InputError

PREFIX = "STOCK_PIPELINE_"
FILE_NAME = "stock_pipeline.yaml"
FILE_VARIABLE = "STOCK_PIPELINE_SETTINGS"

# Lowest and highest number of each cron field, and the names that stand for numbers in it.
CRON_FIELDS = (
    (0, 59, ""),
    (0, 23, ""),
    (1, 31, ""),
    (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (0, 7, "sun mon tue wed thu fri sat"),
)
CRON_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/[1-9]\d*)?")


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("there is no such time zone; write it as America/New_York") from error
    return name


def _sound_cron(text: str) -> str:
    fields = text.lower().split()
    if len(fields) != len(CRON_FIELDS) or not all(map(_is_cron_field, fields, CRON_FIELDS)):
        raise ValueError("it should be minute, hour, day, month and weekday, as in 30 4 * * 6")
    return text


def _is_cron_field(field: str, rule: tuple[int, int, str]) -> bool:
    lowest, highest, names = rule
    parts = [CRON_PART.fullmatch(part) for part in field.split(",")]
    ends = [end for part in parts if part for end in part.groups() if end is not None]
    return all(parts) and all(end in names.split() or (end.isdecimal() and lowest <= int(end) <= highest) for end in ends)


def _one_or_more_apart(horizons: tuple[int, ...]) -> tuple[int, ...]:
    if not horizons or len(set(horizons)) < len(horizons):
        raise ValueError("it should name one horizon or more, none of them twice, as in [1, 5]")
    return horizons


def _enough_for_a_deviation(sessions: int) -> int:
    if sessions < 2:
        raise ValueError("it should be 2 sessions or more, as a standard deviation needs two returns")
    return sessions


def _no_less_than_the_fewest(sessions: int | None, section: ValidationInfo) -> int | None:
    fewest = section.data.get("minimum_train_sessions", 1)
    if sessions is not None and sessions < fewest:
        raise ValueError(f"a fold trains on no fewer than datasets.minimum_train_sessions, {fewest}; give as many or lower that")
    return sessions


Share = Annotated[float, Field(ge=0, le=1)]
Sessions = Annotated[int, Field(ge=1)]
Seconds = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleSettings(_Section):
    """When the nightly ingestion starts, on trading days."""

    enabled: bool = True
    time: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM on the clock of time_zone")] = "22:45"
    time_zone: Annotated[str, AfterValidator(_known_time_zone)] = "America/New_York"


class TaskSettings(_Section):
    """Limits of a run started by automation."""

    timeout_seconds: Seconds = 1800
    retries: Annotated[int, Field(ge=0)] = 3
    retry_delay_seconds: Seconds = 60


class AutomationSettings(_Section):
    """How automation runs: the nightly stages and the training of models each have their limits."""

    nightly: TaskSettings = TaskSettings()
    training: TaskSettings = TaskSettings(timeout_seconds=7200, retries=1)
    interval_seconds: Seconds = 30
    training_cron: Annotated[
        str, AfterValidator(_sound_cron), Field(description="five cron fields, on the clock of the schedule's time zone")
    ] = "30 4 * * 6"
    freshness_hours: Annotated[int, Field(ge=1, description="an asset not materialised for so long is stale")] = 120


class IbkrSettings(_Section):
    """How Interactive Brokers' gateway (or TWS) is reached. It is asked to read only."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 4002
    client_id: Annotated[int, Field(ge=1, description="0 would take over orders placed by hand")] = 17
    connect_seconds: Seconds = 10
    request_seconds: Annotated[int, Field(ge=1, description="a request that is not answered by then has failed")] = 60
    requests_at_once: Annotated[int, Field(ge=1)] = 5
    requests_per_ten_minutes: Annotated[int, Field(ge=1)] = 60
    budget_seconds: Annotated[int, Field(ge=1, description="what is not answered by then goes to the next source")] = 900


class YahooSettings(_Section):
    """How Yahoo Finance is asked."""

    requests_at_once: Annotated[int, Field(ge=1)] = 4
    request_seconds: Seconds = 30
    retries: Annotated[int, Field(ge=0, description="of one request, after an answer that says too many")] = 4
    retry_delay_seconds: Annotated[float, Field(gt=0, description="before the first retry; doubled before each further one")] = 2.0
    budget_seconds: Annotated[int, Field(ge=1, description="what is not answered by then goes to the next source")] = 900


class SourceSettings(_Section):
    """Where market data comes from: the first source, and those that are asked for what it could not give."""

    name: str = "sample"
    fallbacks: tuple[str, ...] = Field(default=(), description="sources to ask, in this order, for what the first could not give")
    path: Annotated[str | None, Field(description="bars of the source files: a file or a glob")] = None
    actions_path: Annotated[str | None, Field(description="splits and dividends for the source files: a file or a glob")] = None
    fundamentals_path: Annotated[str | None, Field(description="fundamentals for the source files: a file or a glob")] = None
    instruments_path: Annotated[str | None, Field(description="names, sectors and the like for the source files: a file or a glob")] = None
    universe_path: Annotated[str | None, Field(description="who belongs to the universe from when to when: symbol, first, last")] = None
    renames_path: Annotated[str | None, Field(description="changes of symbol: old, new, session")] = None
    symbols: tuple[str, ...] | None = Field(default=None, description="only these symbols; all that the source has when left out")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="prices in another currency are refused")] = "USD"
    history_from: Annotated[date, Field(description="first session to ask a live source for")] = date(2010, 1, 4)
    overlap: Annotated[int, Field(ge=0, description="sessions asked for again, to notice restatements")] = 5
    ibkr: IbkrSettings = IbkrSettings()
    yahoo: YahooSettings = YahooSettings()


class QualitySettings(_Section):
    """What makes a bar doubtful or unusable."""

    price_tolerance: Share = 0.005
    jump_ratio: Annotated[float, Field(gt=1)] = 1.4
    source_tolerance: Annotated[Share, Field(description="share by which two sources' closes may differ without a flag")] = 0.01
    minimum_coverage: Annotated[Share, Field(description="share of the expected symbols without which nothing is made downstream")] = 0.95


class FeatureSettings(_Section):
    """What models learn from."""

    set: Annotated[Literal["core", "extended", "alpha158"], Field(description="see docs/features.md")] = "core"


class LabelSettings(_Section):
    """What the models are to predict."""

    horizons: Annotated[
        tuple[Sessions, ...],
        AfterValidator(_one_or_more_apart),
        Field(description="sessions from the fill at the next open to the way out; models learn to predict the first"),
    ] = (1, 5)
    volatility_horizon: Annotated[int, AfterValidator(_enough_for_a_deviation)] = 5


class DatasetSettings(_Section):
    """How sessions are split for walk-forward validation."""

    folds: Sessions = 3
    embargo: Annotated[int, Field(ge=0)] = 3
    sessions: Annotated[Sessions | None, Field(description="learn from so many of the last sessions; from all when left out")] = None
    minimum_train_sessions: Sessions = 40
    train_sessions: Annotated[
        Sessions | None,
        AfterValidator(_no_less_than_the_fewest),
        Field(description="train each fold on so many sessions, a rolling window; on all before it when left out"),
    ] = None


class ModelSettings(_Section):
    """How models are trained."""

    names: tuple[str, ...] | None = Field(default=None, description="models to train; all of the catalogue when left out")
    seed: int = 7
    threads: Annotated[int, Field(ge=1)] = 2
    device: Annotated[Literal["auto", "cpu", "cuda"], Field(description="where to train; auto takes a GPU where there is one")] = "auto"
    trials: Annotated[int, Field(ge=1, description="sets of parameters to try per model; 1 keeps those of the catalogue")] = 1
    suspicious_rank_ic: Annotated[Share, Field(description="a return model that scores above it is taken for a leak")] = 0.1


class RegistrySettings(_Section):
    """When a new version takes the place of the active one."""

    tolerance: Share = 0.1
    mirror_to_mlflow: bool = True


class BacktestSettings(_Section):
    """How the backtest trades."""

    top_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    cost_bps: Annotated[float, Field(ge=0)] = 10.0


class DriftSettings(_Section):
    """What is compared with what."""

    current_sessions: Sessions = 20


class MaintenanceSettings(_Section):
    """What is kept."""

    backups_kept: Annotated[int, Field(ge=1)] = 7


class Settings(BaseSettings):
    """All settings. The keys of ``stock_pipeline.yaml`` have the same names and nesting."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    home: Path = Field(default=Path("data"), description="data directory: both stores, models, backups, reports, MLflow and Dagster")
    exchange: str = "XNYS"
    lock_wait_seconds: Seconds = 120
    source: SourceSettings = SourceSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    automation: AutomationSettings = AutomationSettings()
    quality: QualitySettings = QualitySettings()
    features: FeatureSettings = FeatureSettings()
    labels: LabelSettings = LabelSettings()
    datasets: DatasetSettings = DatasetSettings()
    models: ModelSettings = ModelSettings()
    registry: RegistrySettings = RegistrySettings()
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
