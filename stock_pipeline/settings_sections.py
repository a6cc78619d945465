"""The sections of the settings: every value with its default, its bounds and what it is for."""

import re
from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

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

    set: Annotated[Literal["core", "extended", "alpha158", "combined"], Field(description="see docs/features.md")] = "core"


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


class PromotionSettings(_Section):
    """When a new version takes the place of the active one."""

    mode: Annotated[
        Literal["holdout", "shadow"],
        Field(description="compare at once on the same sessions out of fold, or after nights of predictions beside the active version"),
    ] = "holdout"
    automatic: Annotated[bool, Field(description="otherwise a version that passes is held until a hand promotes it")] = True
    tolerance: Annotated[Share, Field(description="share by which its error may be worse")] = 0.1
    beats_zero: Annotated[bool, Field(description="its error must be below that of predicting 0")] = True
    not_inferior: Annotated[bool, Field(description="its daily rank IC must not be significantly lower")] = True
    no_slipping: Annotated[bool, Field(description="it must keep within the tolerance of the best version kept, too")] = True
    significance: Annotated[float, Field(gt=0, lt=0.5, description="of the test of the daily rank IC")] = 0.05
    shadow_predictions: Annotated[int, Field(ge=1, description="predictions with outcomes that a shadow version needs")] = 100
    shadow_sessions: Annotated[int, Field(ge=2, description="sessions with outcomes that a shadow version needs")] = 20


class RetrainingSettings(_Section):
    """When models are retrained between their regular trainings."""

    on_schedule: Annotated[bool, Field(description="at the times of automation.training_cron")] = True
    when_damaged: Annotated[bool, Field(description="also where a training failed and no version is left")] = True
    on_drift: bool = True
    drift_share: Annotated[float, Field(gt=0, le=1, description="share of the features whose drift must be HIGH or CRITICAL")] = 0.5
    drift_cooldown_days: Annotated[int, Field(ge=1, description="between two retrainings that drift started")] = 7


class RetentionSettings(_Section):
    """How long the remains of versions are kept."""

    versions: Annotated[int, Field(ge=1, description="artefacts per model that stay in place; older ones are archived")] = 30
    archive_after_days: Annotated[int, Field(ge=1, description="after retirement or refusal")] = 180
    shadow_days: Annotated[int, Field(ge=1, description="for which shadow results stay")] = 90


class RegistrySettings(_Section):
    """The life of the versions of models."""

    promotion: PromotionSettings = PromotionSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    retention: RetentionSettings = RetentionSettings()
    mirror_to_mlflow: bool = True


class PerformanceSettings(_Section):
    """How the performance of models is logged."""

    every_hours: Annotated[int, Field(ge=1, le=24)] = 6
    cost_bps: Annotated[float, Field(ge=0, description="of a trade's way in and out together, in basis points")] = 10.0


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
