"""When an asset is due, as Dagster judges it: a chain of bars, features and a model, looked at tick by tick."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from stock_pipeline.orchestration.automation import condition_of, freshness_policy, limits, retry_policy, run_tags
from stock_pipeline.orchestration.stage import Cadence
from stock_pipeline.settings import Settings
from stock_pipeline_tests.harness.plain_settings import plain_settings

SETTINGS = plain_settings(
    Path("nowhere"),
    automation={
        "nightly": {"timeout_seconds": 60, "retries": 2, "retry_delay_seconds": 5},
        "training": {"timeout_seconds": 90, "retries": 1, "retry_delay_seconds": 7},
        "training_cron": "30 4 * * 6",
        "freshness_hours": 100,
    },
)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
FRIDAY = datetime(2024, 5, 3, 12, tzinfo=UTC)
CHAIN = "chain"
BARS, ACTIONS, FEATURES, MODEL = (dg.AssetKey((CHAIN, name)) for name in ("bars", "actions", "features", "model"))
INGESTED = [(CHAIN, "bars"), (CHAIN, "actions")]


class Chain:
    """bars and actions (ingestion, with a blocking check) > features (nightly) > model (training), and the instance that has seen them."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings = SETTINGS) -> None:
        self.instance = instance
        self.check_passes, self.training_works = True, True
        self.between_bars_and_actions: Callable[[], object] = lambda: None
        self.cursors: dict[dg.AssetKey, Any] = {}
        self.now = FRIDAY
        self.settings = settings
        self.version = "1"

    @property
    def definitions(self) -> dg.Definitions:
        """The code location as it is loaded now."""

        @dg.multi_asset(
            specs=[dg.AssetSpec(BARS), dg.AssetSpec(ACTIONS)], check_specs=[dg.AssetCheckSpec("sound", asset=BARS, blocking=True)]
        )
        def ingestion() -> Iterator[dg.MaterializeResult[None]]:
            sound = dg.AssetCheckResult(asset_key=BARS, passed=self.check_passes, check_name="sound")
            yield dg.MaterializeResult(BARS, check_results=[sound])
            self.between_bars_and_actions()
            yield dg.MaterializeResult(ACTIONS)

        @dg.asset(
            key=FEATURES, deps=[BARS], automation_condition=condition_of(self.settings, "nightly", INGESTED), code_version=self.version
        )
        def features() -> None: ...

        @dg.asset(
            key=MODEL, deps=[FEATURES], automation_condition=condition_of(self.settings, "training", INGESTED), code_version=self.version
        )
        def model() -> None:
            if not self.training_works:
                raise ValueError("no memory left")

        return dg.Definitions(assets=[ingestion, features, model])

    def make(self, *keys: dg.AssetKey) -> None:
        job = self.definitions.resolve_implicit_global_asset_job_def()
        job.execute_in_process(QUIET, instance=self.instance, asset_selection=list(keys), raise_on_error=False)

    def due(self, later: timedelta = timedelta(minutes=1)) -> set[str]:
        """The assets that the next looks of the two automation sensors request."""
        self.now += later
        return {key.path[-1] for key in (FEATURES, MODEL) if self._requested(key)}

    def _requested(self, key: dg.AssetKey) -> bool:
        result = dg.evaluate_automation_conditions(
            self.definitions,
            instance=self.instance,
            asset_selection=dg.AssetSelection.assets(key),
            cursor=self.cursors.get(key),
            evaluation_time=self.now,
        )
        self.cursors[key] = result.cursor
        return result.get_num_requested(key) > 0


@pytest.fixture
def chain() -> Iterator[Chain]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Chain(instance)


def test_ingestion_is_due_by_its_schedule_alone() -> None:
    assert condition_of(SETTINGS, "ingestion", INGESTED) is None


def test_before_there_are_bars_nothing_is_due(chain: Chain) -> None:
    assert chain.due() == set()


def test_bars_bring_features_and_with_them_the_model_that_is_missing(chain: Chain) -> None:
    chain.due()
    chain.make(BARS, ACTIONS)
    assert chain.due() == {"features"}
    chain.make(FEATURES)
    assert chain.due() == {"model"}
    chain.make(MODEL)
    assert chain.due() == set()


def test_bars_that_a_blocking_check_refused_bring_nothing_until_they_are_mended(chain: Chain) -> None:
    chain.due()
    chain.check_passes = False
    chain.make(BARS, ACTIONS)
    assert chain.due() == set()
    assert chain.due() == set()
    chain.check_passes = True
    chain.make(BARS, ACTIONS)
    assert chain.due() == {"features"}


def test_nothing_is_made_before_the_whole_of_ingestion_is_recorded(chain: Chain) -> None:
    looks: list[set[str]] = []
    chain.due()
    chain.between_bars_and_actions = lambda: looks.append(chain.due())
    chain.make(BARS, ACTIONS)
    assert looks == [set()]
    assert chain.due() == {"features"}


def test_new_bars_bring_features_but_no_training(chain: Chain) -> None:
    chain.make(BARS, ACTIONS, FEATURES, MODEL)
    chain.due()
    chain.make(BARS, ACTIONS)
    assert chain.due() == {"features"}
    chain.make(FEATURES)
    assert chain.due() == set()


def test_a_training_that_failed_is_not_tried_for_ever(chain: Chain) -> None:
    chain.due()
    chain.training_works = False
    chain.make(BARS, ACTIONS, FEATURES, MODEL)
    assert chain.due() == set()
    assert chain.due() == set()


def test_a_training_that_failed_is_tried_again_at_its_time(chain: Chain) -> None:
    chain.due()
    chain.training_works = False
    chain.make(BARS, ACTIONS, FEATURES, MODEL)
    assert chain.due() == set()
    assert chain.due(later=timedelta(days=1)) == {"model"}


def test_another_setting_that_rows_depend_on_has_them_made_again_once(chain: Chain) -> None:
    chain.make(BARS, ACTIONS, FEATURES, MODEL)
    assert chain.due() == set()
    chain.version = "2"
    assert chain.due() == {"features", "model"}
    chain.make(FEATURES, MODEL)
    assert chain.due() == set()


def test_a_model_is_trained_at_its_time_on_the_schedule_s_clock(chain: Chain) -> None:
    chain.make(BARS, ACTIONS, FEATURES, MODEL)
    assert chain.due() == set()
    chain.now = datetime(2024, 5, 4, 8, 28, 30, tzinfo=UTC)  # 04:28 in New York, on the Saturday of the cron line
    assert chain.due() == set()
    assert chain.due() == {"model"}
    assert chain.due() == set()


@pytest.mark.parametrize(
    ("cadence", "retries", "delay", "seconds"), [("ingestion", 2, 5, "60"), ("nightly", 2, 5, "60"), ("training", 1, 7, "90")]
)
def test_limits_come_from_the_settings_of_the_rhythm(cadence: Cadence, retries: int, delay: int, seconds: str) -> None:
    policy = retry_policy(SETTINGS, cadence)
    assert (policy.max_retries, policy.delay, policy.backoff) == (retries, delay, dg.Backoff.EXPONENTIAL)
    assert run_tags(SETTINGS, cadence) == {"dagster/max_runtime": seconds}
    assert limits(SETTINGS, cadence).timeout_seconds == int(seconds)


def test_freshness_warns_before_it_fails() -> None:
    policy = freshness_policy(SETTINGS)
    assert isinstance(policy, dg.FreshnessPolicy)
    assert policy.fail_window.to_timedelta() == timedelta(hours=100)  # type: ignore[attr-defined]
    assert policy.warn_window.to_timedelta() == timedelta(hours=80)  # type: ignore[attr-defined]


def test_the_freshness_that_comes_by_default_survives_a_long_weekend() -> None:
    """From Thursday's 22:45 to Tuesday's, as at Easter in London or with a holiday on Monday and one on Friday."""
    longest = timedelta(days=5)
    assert freshness_policy(plain_settings(Path("nowhere"))).fail_window.to_timedelta() >= longest  # type: ignore[attr-defined]


def test_without_the_schedule_a_model_is_trained_when_missing_and_then_never() -> None:
    settings = plain_settings(Path("nowhere"), registry={"retraining": {"on_schedule": False}}, automation={"training_cron": "30 4 * * 6"})
    with dg.DagsterInstance.ephemeral() as instance:
        chain = Chain(instance, settings)
        chain.make(BARS, ACTIONS, FEATURES)
        assert "model" in chain.due()
        chain.make(MODEL)
        assert [chain.due(timedelta(days=1)) for _ in range(8)] == [set()] * 8
