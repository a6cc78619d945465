"""The asset of the labels."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import FORWARD_RETURN, LABEL_STATUS, SESSION
from stock_pipeline.labels.catalogue import labelled_horizons, purge_span
from stock_pipeline.labels.charts import return_bands
from stock_pipeline.labels.checks import LABEL_CHECK
from stock_pipeline.labels.compute import compute_labels
from stock_pipeline.labels.reading import judged_bars
from stock_pipeline.labels.tables import KNOWN, LABEL_STATUSES, column_of, daily_labels, labels_of
from stock_pipeline.market_data.reading import JUDGED_BAR_TABLES, sessions_of
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.settings import Settings
from stock_pipeline.storage import replace_sessions


def make_labels(context: StageContext) -> StageOutput | None:
    """Label every session up to ``as_of``; those whose outcome has only now become known are rebuilt."""
    sessions = sessions_of(context.stores, context.as_of)
    first = context.first_to_make(sessions)
    if first is None:
        return None
    chosen = context.settings.labels
    horizons = labelled_horizons(chosen)
    # The sessions that have bars may lack some of the exchange's: then this reaches further back than it must.
    start = sessions[max(0, sessions.index(first) - purge_span(horizons, chosen.volatility_horizon))]
    bars = judged_bars(context.stores, context.settings, context.as_of, start)
    exchange_sessions = trading_calendar(context.settings.exchange).sessions_between(start, date.max)
    made = compute_labels(bars, exchange_sessions, context.as_of, horizons, chosen.volatility_horizon)
    schema = daily_labels(horizons)
    statuses = _statuses(made, horizons)
    return StageOutput(
        writes=(replace_sessions(schema, made, least_share=0.5),),
        watermark=context.as_of,
        charts=lambda: {
            name: return_bands(made, horizon) for horizon in horizons if made[name := column_of(FORWARD_RETURN, horizon)].count()
        },
        tables={"label_statuses": statuses},
        facts={"sessions_made": made[SESSION].n_unique(), **_facts(statuses)},
    )


def _statuses(made: pl.DataFrame, horizons: Sequence[int]) -> pl.DataFrame:
    """The number of rows by label and status, with 0 where no row has it."""
    rows = [
        {"label": label, LABEL_STATUS: status, "rows": made[label].eq(status).sum()}
        for label in (column_of(LABEL_STATUS, horizon) for horizon in labels_of(horizons))
        for status in LABEL_STATUSES
    ]
    return pl.DataFrame(rows)


def _facts(statuses: pl.DataFrame) -> dict[str, int]:
    """The rows without a label, by reason, as figures to follow over time: label_status_1_pending and the like."""
    without = statuses.filter(pl.col(LABEL_STATUS) != KNOWN)
    return {f"{label}_{status}": rows for label, status, rows in without.iter_rows()}


def stages(settings: Settings) -> tuple[Stage, ...]:
    """The asset of the labels of these settings; see ``catalogue.labelled_horizons``."""
    schema = daily_labels(labelled_horizons(settings.labels))
    return (
        Stage(
            keys=(key_of(schema),),
            description="What followed each session.",
            tables=(schema,),
            reads=JUDGED_BAR_TABLES,
            body=make_labels,
            settings=("exchange", "labels", "quality.jump_ratio", "quality.suspect_ratio"),
            code_version="4",
            checks=(LABEL_CHECK,),
        ),
    )
