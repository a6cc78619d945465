"""The assets of the models' performance."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from stock_pipeline.core.columns import ALL_PERIODS, MODEL, PERIOD, SESSION
from stock_pipeline.datasets.catalogue import target_kind
from stock_pipeline.datasets.reading import read_targets
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.labels.catalogue import ONE_SESSION, predicted_horizon, purge_span
from stock_pipeline.labels.reading import read_outcomes, read_sessions
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.market_data.reading import JUDGED_BAR_TABLES
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, key_of, via
from stock_pipeline.performance.charts import cumulative_rank_ic, cumulative_return
from stock_pipeline.performance.log import performance_log, top_decile_by_session
from stock_pipeline.performance.outcomes import KIND, daily_performance, session_results
from stock_pipeline.performance.reading import (
    ADMITTED_TABLES,
    RECORD_TABLES,
    live_predictions,
    predictions_of_every_version,
    predictions_on_record,
)
from stock_pipeline.performance.tables import (
    DAILY_PERFORMANCE,
    LONG_SHORT_RETURN,
    MODEL_PERFORMANCE,
    ORIGIN,
    PERFORMANCE_LOG,
    SIGN_ACCURACY,
)
from stock_pipeline.predictions.tables import DAILY_PREDICTIONS
from stock_pipeline.registry.tables import LIVE_RESULTS, MODEL_VERSIONS
from stock_pipeline.storage import replace_all, upsert
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.tables import DAILY_UNIVERSE

# What the results of a session follow from. Bars that are restated restate features and labels.
JOINED = (DAILY_PREDICTIONS, DAILY_LABELS, DAILY_FEATURES, DAILY_UNIVERSE)
PERIODS_SHOWN = ("60 sessions", ALL_PERIODS)


def measure_performance(context: StageContext) -> StageOutput | None:
    """Join the models' predictions to their outcomes, and measure each session."""
    if not context.has_news():
        return None
    outcomes = read_outcomes(context.stores, context.as_of, predicted_horizon(context.settings.labels))
    returns = read_outcomes(context.stores, context.as_of, ONE_SESSION)
    parts = [daily_performance(rows, outcomes, returns) for rows in predictions_on_record(context.stores)]
    made = pl.concat([DAILY_PERFORMANCE.empty(), *parts])
    results = _results_of_versions(context, outcomes)
    write = replace_all if context.full_refresh else upsert
    means = made.group_by(MODEL, ORIGIN).agg(pl.len().alias("sessions"), pl.col("rank_ic", SIGN_ACCURACY, LONG_SHORT_RETURN).mean())
    return StageOutput(
        writes=(write(DAILY_PERFORMANCE, made, may_be_empty=True), write(LIVE_RESULTS, results, may_be_empty=True)),
        watermark=context.as_of,
        charts=lambda: {"rank_ic": cumulative_rank_ic(made)} if made.height else {},
        tables={"means": means.sort(MODEL, ORIGIN)},
        facts={"sessions_joined": results[SESSION].n_unique()},
    )


def _results_of_versions(context: StageContext, outcomes: pl.DataFrame) -> pl.DataFrame:
    """The results of the sessions whose outcomes have become known or have changed since, of all versions: rows of LIVE_RESULTS."""
    kept_from = context.as_of - timedelta(days=context.settings.retention.live_results_days)
    wanted = Selection(columns=(SESSION,), first=kept_from, last=context.as_of, distinct=True)
    sessions = context.read(DAILY_PREDICTIONS, wanted)[SESSION].to_list()
    first = context.first_to_make(sessions, JOINED)
    if first is None:
        return LIVE_RESULTS.empty()
    labels = context.settings.labels
    # The outcomes of so many sessions before may have become known only now.
    start = sessions[max(0, sessions.index(first) - purge_span((predicted_horizon(labels),), labels.volatility_horizon))]
    predictions = predictions_of_every_version(context.stores, start, context.as_of)
    kinds = [target_kind(name) for name in predictions[KIND].unique()]
    return session_results(predictions, read_targets(context.stores, context.settings, context.as_of, start, outcomes, kinds))


def log_performance(context: StageContext) -> StageOutput | None:
    """Measure the performance of each model's live predictions, over the last sessions and on the whole."""
    if not context.has_news():
        return None
    nights = context.nights_to_make(PERFORMANCE_LOG, read_sessions(context.stores, context.as_of))
    records = {day: _top_decile(context, day) for day in nights}
    daily, every = records[context.as_of], [performance_log(record, day) for day, record in records.items()]
    made = every[-1]
    return StageOutput(
        writes=(context.rows_of_nights(PERFORMANCE_LOG, pl.concat(every), may_be_empty=True),),
        watermark=context.as_of,
        charts=lambda: {"top_decile": cumulative_return(daily)} if daily.height else {},
        tables={"figures": made.filter(pl.col(PERIOD).is_in(PERIODS_SHOWN))},
        facts={"models": made[MODEL].n_unique()},
    )


def _top_decile(context: StageContext, as_of: date) -> pl.DataFrame:
    """The results of each session's top decile, as far as they were known on a night; see ``top_decile_by_session``."""
    outcomes = read_outcomes(context.stores, as_of, predicted_horizon(context.settings.labels))
    returns = read_outcomes(context.stores, as_of, ONE_SESSION)
    return top_decile_by_session(live_predictions(context.stores, as_of), outcomes, returns, context.settings.trading.cost_bps_per_side)


STAGES: Sequence[Stage] = (
    Stage(
        keys=(key_of(DAILY_PERFORMANCE),),
        description="Performance of the models' scores, session by session.",
        tables=(DAILY_PERFORMANCE, LIVE_RESULTS),
        reads=(
            *RECORD_TABLES,
            *via((key_of(MODEL_VERSIONS),), *ADMITTED_TABLES),
            DAILY_LABELS,
            DAILY_FEATURES,
            DAILY_UNIVERSE,
            *JUDGED_BAR_TABLES,
        ),
        body=measure_performance,
        settings=("exchange", "labels", "quality.jump_ratio", "quality.suspect_ratio", "retention.live_results_days", "universe"),
        settings_ahead=("features.set", "source.currency"),  # every set has the exposures, and they are the same
        code_version="4",
    ),
    Stage(
        keys=(key_of(PERFORMANCE_LOG),),
        description="Performance of each model's live predictions over the last sessions and on the whole.",
        tables=(PERFORMANCE_LOG,),
        views=(MODEL_PERFORMANCE,),
        reads=(DAILY_PREDICTIONS, DAILY_LABELS, MODEL_VERSIONS),
        body=log_performance,
        settings=("exchange", "labels", "quality.jump_ratio", "quality.suspect_ratio", "trading"),
        code_version="2",
    ),
)
