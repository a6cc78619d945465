"""The sensor that requests retraining when the features have drifted."""

from datetime import date, timedelta

import dagster as dg
import polars as pl

from stock_pipeline.core.columns import AS_OF, FEATURE
from stock_pipeline.drift.severity import HIGH, SEVERITIES, at_least
from stock_pipeline.drift.tables import FEATURE_DRIFT, SEVERITY
from stock_pipeline.orchestration.clock import utc_now
from stock_pipeline.orchestration.training_request import TRAINING_JOB, training_request
from stock_pipeline.registry.reading import job_at_work
from stock_pipeline.registry.tables import DRY_RUN, REASON, REQUESTED_AT, TRAINING_JOBS
from stock_pipeline.settings import Settings
from stock_pipeline.storage import open_stores
from stock_pipeline.storage.reading import Selection

DRIFT_RETRAINING = "drift_retraining"
DRIFT = "drift"


def drifted_share(drift: pl.DataFrame) -> float:
    """The share of one session's features whose drift any statistic grades HIGH or CRITICAL; 0 where there are none."""
    bad = [grade for grade in SEVERITIES if at_least(grade, HIGH)]
    features = drift.group_by(FEATURE).agg(pl.col(SEVERITY).is_in(bad).any())
    return float(features.select(pl.col(SEVERITY).mean()).item() or 0.0)


def is_too_soon(jobs: pl.DataFrame, last_requested: date | None, session: date, days: int) -> bool:
    """Whether a retraining for drift was requested less than ``days`` days before ``session``.

    Dry runs do not count, as they leave no model. The clock is not asked: on data of the past, the day of a job lies long after.

    Args:
        jobs: rows of the training jobs.
        last_requested: the session for which the last was requested; None where it is not known.
        session: the session on which drift was judged.
        days: the cooldown, in calendar days.
    """
    requested = jobs.filter(pl.col(REASON) == DRIFT, ~pl.col(DRY_RUN))[REQUESTED_AT].dt.date().to_list()
    known = [*requested, *([] if last_requested is None else [last_requested])]
    return any(timedelta(0) <= session - day < timedelta(days=days) for day in known)


def drift_retraining(settings: Settings) -> dg.SensorDefinition:
    """The sensor that requests a retraining of the settings' models when enough features have drifted, at most once per cooldown."""
    rule = settings.registry.retraining

    @dg.sensor(
        name=DRIFT_RETRAINING,
        job_name=TRAINING_JOB,
        minimum_interval_seconds=settings.automation.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if rule.on_drift else dg.DefaultSensorStatus.STOPPED,
        description="Requests a retraining when the drift of enough features is HIGH or CRITICAL, not again within the cooldown.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if not rule.on_drift:
            return dg.SkipReason("registry.retraining.on_drift is false")
        stores = open_stores(settings.home, settings.lock_wait_seconds)
        drift = stores.read(FEATURE_DRIFT, Selection(latest=True)) if stores.exist else FEATURE_DRIFT.empty()
        if drift.is_empty():
            return dg.SkipReason("drift has not been judged yet")
        session, share = drift[AS_OF][0], drifted_share(drift)
        found = f"{share:.0%} of the features have drifted far on {session}"
        if share < rule.drift_share:
            return dg.SkipReason(f"{found}, less than the {rule.drift_share:.0%} of registry.retraining.drift_share")
        at_work = job_at_work(stores, utc_now())
        if at_work is not None:
            return dg.SkipReason(at_work)
        last = date.fromisoformat(context.cursor) if context.cursor else None
        if is_too_soon(stores.read(TRAINING_JOBS), last, session, rule.drift_cooldown_days):
            return dg.SkipReason(f"{found}, but the last retraining for drift is less than {rule.drift_cooldown_days} days before")
        context.update_cursor(session.isoformat())
        return training_request((), DRIFT, f"{DRIFT}-{session}")

    return look
