"""The asset of the drift report."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.atomic_files import write_text
from stock_pipeline.core.columns import SESSION
from stock_pipeline.drift.catalogue import STATISTICS
from stock_pipeline.drift.charts import psi_bars
from stock_pipeline.drift.feature_drift import feature_drift, windows
from stock_pipeline.drift.report import html_report
from stock_pipeline.drift.severity import SEVERITIES
from stock_pipeline.drift.tables import FEATURE_DRIFT, RECENT_DRIFT_EVENTS, SEVERITY
from stock_pipeline.features.reading import chosen_set, read_features
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.settings import DriftSettings
from stock_pipeline.storage.reading import Selection
from stock_pipeline.universe.reading import of_universe
from stock_pipeline.universe.tables import DAILY_UNIVERSE


def report_drift(context: StageContext) -> StageOutput | None:
    """Compare the features of the last sessions with those before, and write the report as a page."""
    if not context.has_news():
        return None
    chosen = chosen_set(context.settings)
    features = of_universe(context.stores, read_features(context.stores, chosen, Selection(last=context.as_of)))
    nights = context.nights_to_make(FEATURE_DRIFT, features[SESSION].unique())
    every = [_drift_of(features, chosen.names, day, context.settings.drift) for day in nights]
    made = every[-1]
    bars = psi_bars(made)
    path = context.stores.layout.drift_report(context.as_of)
    write_text(path, html_report(made, {"Population stability by feature": bars}))
    worst = made.filter(pl.col(SEVERITY) != SEVERITIES[0]).sort("value", descending=True)
    return StageOutput(
        # Another feature set may be a smaller one.
        writes=(context.rows_of_nights(FEATURE_DRIFT, pl.concat(every)),),
        watermark=context.as_of,
        charts=lambda: {"psi": bars},
        tables={"drifted": worst},
        facts={"report": str(path), **dict(made.group_by(SEVERITY).len().sort(SEVERITY).iter_rows())},
    )


def _drift_of(features: pl.DataFrame, names: Sequence[str], as_of: date, chosen: DriftSettings) -> pl.DataFrame:
    """The drift of the features as known on a night: rows of FEATURE_DRIFT."""
    reference, current = windows([day for day in features[SESSION].unique() if day <= as_of], chosen.window_sessions)
    parts = [features.filter(pl.col(SESSION).is_in(days)) for days in (reference, current)]
    return feature_drift(parts[0], parts[1], names, as_of, STATISTICS)


STAGES: Sequence[Stage] = (
    Stage(
        keys=(key_of(FEATURE_DRIFT),),
        description="How far the features of the last sessions have moved from those before.",
        tables=(FEATURE_DRIFT,),
        views=(RECENT_DRIFT_EVENTS,),
        reads=(DAILY_FEATURES, DAILY_UNIVERSE),
        body=report_drift,
        settings=("drift", "exchange", "features.set", "quality.jump_ratio", "quality.suspect_ratio", "source.currency", "universe"),
        code_version="2",
    ),
)
