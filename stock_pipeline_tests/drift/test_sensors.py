"""When the sensor ``drift_retraining`` asks for a retraining."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from stock_pipeline.drift.sensors import DRIFT_RETRAINING, drift_retraining, drifted_share, is_too_soon
from stock_pipeline.drift.tables import FEATURE_DRIFT
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.training_request import OP, TRAINING_JOB
from stock_pipeline.registry.tables import TRAINING_JOBS
from stock_pipeline.registry.training_jobs import TrainingRequest, with_finished_job, with_new_job, with_started_job
from stock_pipeline.storage import Stores
from stock_pipeline_tests.factories.rows import ingested, put
from stock_pipeline_tests.harness.plain_settings import plain_settings

SESSION = date(2024, 5, 3)
NO_JOBS = TRAINING_JOBS.empty()


def judged(grades: Mapping[str, str], session: date = SESSION) -> pl.DataFrame:
    """Rows of FEATURE_DRIFT: for each feature the grades of its statistics, by their first letters."""
    grade_of = {grade[0]: grade for grade in ("NONE", "LOW", "MEDIUM", "HIGH", "CRITICAL")}
    rows = [
        {"as_of": session, "feature": feature, "statistic": f"s{i}", "severity": grade_of[letter], "reference_rows": 9, "current_rows": 9}
        for feature, letters in grades.items()
        for i, letter in enumerate(letters)
    ]
    return pl.DataFrame(rows, schema=FEATURE_DRIFT.dtypes)


def drift_job(requested: date, reason: str = "drift", dry_run: bool = False) -> pl.DataFrame:
    """A job that was asked for on that day and has ended."""
    moment = datetime(requested.year, requested.month, requested.day, 1)
    return with_finished_job(
        with_started_job(with_new_job(NO_JOBS, TrainingRequest(("mlp",), reason, dry_run=dry_run), moment), 1, moment),
        1,
        moment,
        ["mlp"],
        {},
    )


@pytest.mark.parametrize(
    ("grades", "share"),
    [
        ({}, 0.0),
        ({"a": "N", "b": "M"}, 0.0),
        ({"a": "H", "b": "M"}, 0.5),
        ({"a": "NNC", "b": "HHH", "c": "LMM", "d": "N"}, 0.5),  # the worst of a feature's grades counts, and once
        ({"a": "C", "b": "H"}, 1.0),
    ],
)
def test_a_feature_counts_by_its_worst_grade(grades: dict[str, str], share: float) -> None:
    assert drifted_share(judged(grades)) == share


@pytest.mark.parametrize(
    ("days_before", "too_soon"),
    [(0, True), (6, True), (7, False), (30, False), (-1, False), (-5000, False)],
)
def test_the_cooldown_is_measured_in_days_of_the_data(days_before: int, too_soon: bool) -> None:
    day = SESSION - timedelta(days=days_before)
    assert is_too_soon(drift_job(day), None, SESSION, 7) is too_soon
    assert is_too_soon(NO_JOBS, day, SESSION, 7) is too_soon
    assert not is_too_soon(drift_job(day, "manual"), None, SESSION, 7)
    assert not is_too_soon(drift_job(day, dry_run=True), None, SESSION, 7)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return ingested(tmp_path / "data", SESSION)


def look(stores: Stores, cursor: str | None = None, **retraining: object) -> tuple[dg.RunRequest | dg.SkipReason, str | None]:
    """What the sensor answers, and its cursor then."""
    settings = plain_settings(stores.home, registry={"retraining": retraining})
    context = dg.build_sensor_context(cursor=cursor)
    answer = drift_retraining(settings)(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer, context.cursor


def says(answer: dg.RunRequest | dg.SkipReason, *facts: str) -> bool:
    """Whether it is skipped with a reason that tells all of the facts."""
    assert isinstance(answer, dg.SkipReason), answer
    return all(fact in str(answer.skip_message) for fact in facts)


def test_drift_of_enough_features_is_answered_by_one_retraining_of_all(stores: Stores) -> None:
    put(stores, FEATURE_DRIFT, judged({"a": "N", "b": "N"}, SESSION - timedelta(days=1)), SESSION)
    assert says(look(stores)[0], "0%", "2024-05-02", "less than the 50%", "registry.retraining.drift_share")
    put(stores, FEATURE_DRIFT, judged({"a": "NH", "b": "N"}), SESSION)
    answer, cursor = look(stores)
    assert isinstance(answer, dg.RunRequest)
    assert (answer.run_key, answer.job_name, cursor) == (f"drift-{SESSION}", TRAINING_JOB, str(SESSION))
    assert answer.run_config == {"ops": {OP: {"config": {"models": [], "reason": "drift"}}}}
    assert says(look(stores, cursor)[0], "50%", "less than 7 days before")
    assert says(look(stores, drift_share=0.51)[0], "less than the 51%")


def test_drift_that_lasts_starts_no_other_before_the_cooldown_is_over(stores: Stores) -> None:
    put(stores, FEATURE_DRIFT, judged({"a": "C"}), SESSION)
    put(stores, TRAINING_JOBS, drift_job(SESSION - timedelta(days=3)), SESSION)
    assert isinstance(look(stores)[0], dg.SkipReason)
    assert isinstance(look(stores, drift_cooldown_days=3)[0], dg.RunRequest)
    assert isinstance(look(stores, cursor=str(SESSION - timedelta(days=2)), drift_cooldown_days=3)[0], dg.SkipReason)


def test_nothing_is_requested_while_a_job_is_open_or_where_it_is_not_wanted(stores: Stores) -> None:
    assert says(look(stores)[0], "not been judged yet")
    put(stores, FEATURE_DRIFT, judged({"a": "C"}), SESSION)
    put(stores, TRAINING_JOBS, with_new_job(NO_JOBS, TrainingRequest(("mlp",)), utc_now()), SESSION)
    answer, cursor = look(stores)
    assert says(answer, "training job 1 (manual)", "waiting to begin") and cursor is None
    assert says(look(stores, on_drift=False)[0], "registry.retraining.on_drift is false")


def test_a_job_whose_process_is_gone_does_not_stand_in_the_way(stores: Stores) -> None:
    put(stores, FEATURE_DRIFT, judged({"a": "C"}), SESSION)
    requested = utc_now() - timedelta(days=1)
    put(stores, TRAINING_JOBS, with_started_job(with_new_job(NO_JOBS, TrainingRequest(("mlp",)), requested), 1, requested), SESSION)
    assert isinstance(look(stores)[0], dg.RunRequest)


def test_the_sensor_is_on_where_it_is_wanted(tmp_path: Path) -> None:
    on, off = (
        drift_retraining(plain_settings(tmp_path, registry={"retraining": {"on_drift": wanted}}, automation={"interval_seconds": 77}))
        for wanted in (True, False)
    )
    assert (on.name, on.minimum_interval_seconds) == (DRIFT_RETRAINING, 77)
    assert (on.default_status, off.default_status) == (dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED)
    assert isinstance(drift_retraining(plain_settings(tmp_path / "none"))(dg.build_sensor_context()), dg.SkipReason)
