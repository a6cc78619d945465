"""The assets of the features: those of bars, and the ratios of reports."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SESSION
from stock_pipeline.core.table_schema import TableSchema
from stock_pipeline.features.catalogue import FeatureSet
from stock_pipeline.features.charts import heat_map
from stock_pipeline.features.checks import FEATURE_CHECKS
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.fundamental_ratios import MARKET_VALUE, as_traded, ratios_of_sessions
from stock_pipeline.features.reading import chosen_set, read_bars_for
from stock_pipeline.features.tables import DAILY_FEATURES, FUNDAMENTAL_RATIOS, daily_features
from stock_pipeline.market_data.reading import (
    BAR_TABLES,
    JUDGED_BAR_TABLES,
    actions_by_instrument,
    closes_of_their_nights,
    reports_by_instrument,
    sessions_of,
)
from stock_pipeline.market_data.tables import FUNDAMENTALS, INSTRUMENTS
from stock_pipeline.orchestration.context import StageContext, StageOutput
from stock_pipeline.orchestration.stage import Stage, key_of
from stock_pipeline.settings import Settings
from stock_pipeline.storage import replace_sessions
from stock_pipeline.universe.tables import DAILY_UNIVERSE


def make_features(context: StageContext) -> StageOutput | None:
    """Bring the features of the chosen set up to the session, from the first that is missing or has changed upstream."""
    chosen = chosen_set(context.settings)
    with context.stores.shared_reader("market"):
        sessions = sessions_of(context.stores, context.as_of)
        first = context.first_to_make(sessions)
        if first is None:
            return None
        place = sessions.index(first)
        context.report_progress(f"set {chosen.name}, {len(sessions) - place} sessions from {first}")
        window_start = sessions[max(0, place - chosen.span + 1)]
        panel = read_bars_for(context.stores, chosen, context.settings, context.as_of, window_start)
    made = compute_features(panel, chosen.made, first)
    return StageOutput(
        writes=(replace_sessions(daily_features(chosen), made, least_share=0.5),),
        watermark=context.as_of,
        charts=lambda: {"heat_map": heat_map(made, sessions[-1], order_by=chosen.display_feature)},
        tables={"share_of_nulls": _null_shares(made, chosen.names)},
        facts={
            "set": chosen.name,
            "features": len(chosen.names),
            "sessions_made": len(sessions) - place,
            "sessions_looked_back": chosen.span,
        },
    )


def _upstream(chosen: FeatureSet) -> tuple[TableSchema, ...]:
    reports = (FUNDAMENTAL_RATIOS,) if chosen.needs_reports else ()
    sectors = (INSTRUMENTS,) if chosen.needs_sectors else ()
    return (*JUDGED_BAR_TABLES, DAILY_UNIVERSE, *reports, *sectors)


def _null_shares(made: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    shares = made.select(pl.col(name).null_count() / pl.len() for name in names)
    return shares.unpivot(variable_name="feature", value_name="nulls").sort("nulls", "feature", descending=[True, False])


def make_fundamental_ratios(context: StageContext) -> StageOutput | None:
    """Bring the ratios up to the session, each night from the reports, closes and splits that were known on it."""
    sessions = sessions_of(context.stores, context.as_of)
    first = context.first_to_make(sessions)
    if first is None:
        return None
    reports = reports_by_instrument(context.stores, context.as_of)
    known_from = reports[KNOWN_FROM].min()
    # Before the first report there is nothing to relate a price to.
    wanted = [day for day in sessions if isinstance(known_from, date) and day >= max(first, known_from)]
    made = _ratios_from(context, reports, wanted[0]) if wanted else FUNDAMENTAL_RATIOS.empty()
    return StageOutput(
        writes=(replace_sessions(FUNDAMENTAL_RATIOS, made, least_share=0.5, may_be_empty=True),),
        watermark=context.as_of,
        tables={"latest": made.filter(pl.col(SESSION) == context.as_of).drop(SESSION).sort(MARKET_VALUE, descending=True, nulls_last=True)},
        facts={"sessions_made": len(wanted)},
    )


def _ratios_from(context: StageContext, reports: pl.DataFrame, first: date) -> pl.DataFrame:
    actions = actions_by_instrument(context.stores, context.as_of)
    closes = closes_of_their_nights(context.stores, first, context.as_of)
    now = pl.col(KNOWN_TO).is_null() | (pl.col(KNOWN_TO) > context.as_of)
    traded = as_traded(closes, actions.filter(now))
    return ratios_of_sessions(reports, actions, traded, context.settings.source.currency)


def stages(settings: Settings) -> tuple[Stage, ...]:
    """The assets, with the columns of the set that the settings choose."""
    chosen = chosen_set(settings)
    return (
        Stage(
            keys=(key_of(FUNDAMENTAL_RATIOS),),
            description="Ratios of what companies report to each other and to the price.",
            tables=(FUNDAMENTAL_RATIOS,),
            reads=(*BAR_TABLES, FUNDAMENTALS),
            body=make_fundamental_ratios,
            settings=("source.currency",),
            code_version="2",
        ),
        Stage(
            keys=(key_of(DAILY_FEATURES),),
            description="Features of every stock and session.",
            tables=(daily_features(chosen),),
            reads=_upstream(chosen),
            body=make_features,
            settings=("features.set", "quality.jump_ratio", "quality.suspect_ratio"),
            code_version=chosen.hash,
            checks=(FEATURE_CHECKS,),
        ),
    )
