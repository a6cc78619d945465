"""The assets of the features: what bars say, and what reports say."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import KNOWN_FROM, KNOWN_TO, SESSION
from stock_pipeline.features.catalogue import catalogue_hash, feature_names, look_back
from stock_pipeline.features.compute import compute_features, compute_night
from stock_pipeline.features.fundamental_ratios import MARKET_VALUE, as_traded, ratios_of_sessions
from stock_pipeline.features.pictures import heat_map
from stock_pipeline.features.tables import DAILY_FEATURES, FUNDAMENTAL_RATIOS
from stock_pipeline.market_data.prices import adjust
from stock_pipeline.market_data.reading import (
    actions_by_instrument,
    actions_known,
    closes_of_their_nights,
    raw_bars,
    reports_by_instrument,
    sessions_of,
)
from stock_pipeline.market_data.tables import CORPORATE_ACTIONS, DAILY_BARS, FUNDAMENTALS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.storage import Write

MOST_NIGHTS = 60  # beyond that a gap is filled in bulk, which agrees in every null and to one unit in the last place


def make_features(night: Night) -> Product | None:
    """Bring the features up to the session: in bulk the first time, night by night afterwards."""
    sessions = sessions_of(night.stores, night.as_of)
    first = night.first_to_make((DAILY_BARS, CORPORATE_ACTIONS), sessions)
    if first is None:
        return None
    wanted = [day for day in sessions if day >= first]
    window_start = sessions[max(0, sessions.index(first) - look_back() + 1)]
    bars = raw_bars(night.stores, night.as_of, window_start)
    actions = actions_known(night.stores, night.as_of, window_start)
    jump_ratio = night.settings.quality.jump_ratio
    in_bulk = night.watermark is None or night.full_refresh or len(wanted) > MOST_NIGHTS
    if in_bulk:
        made = compute_features(adjust(bars, actions, jump_ratio)).filter(pl.col(SESSION) >= first)
    else:
        made = pl.concat(_one_night(night, bars, actions, sessions, day) for day in wanted)
    return Product(
        writes=(Write(DAILY_FEATURES, made, scope=(SESSION,), minimum_share=0.5),),
        watermark=night.as_of,
        pictures={"heat_map": heat_map(made, wanted[-1])},
        tables={"share_of_nulls": _null_shares(made)},
        facts={"features": len(feature_names()), "sessions_made": len(wanted), "look_back": look_back()},
    )


def _one_night(night: Night, bars: pl.DataFrame, actions: pl.DataFrame, sessions: Sequence[date], day: date) -> pl.DataFrame:
    """The features of one session from its own window: the same bits whenever, and after whatever gap, they are made."""
    night.say(f"session {day}")
    place = sessions.index(day)
    window_start = sessions[max(0, place - look_back() + 1)]
    window = adjust(
        bars.filter(pl.col(SESSION).is_between(window_start, day)),
        actions.filter(pl.col(SESSION).is_between(window_start, day)),
        night.settings.quality.jump_ratio,
    )
    return compute_night(window, day)


def _null_shares(made: pl.DataFrame) -> pl.DataFrame:
    shares = made.select(pl.col(name).null_count() / pl.len() for name in feature_names())
    return shares.unpivot(variable_name="feature", value_name="nulls").sort("nulls", "feature", descending=[True, False])


def make_fundamental_ratios(night: Night) -> Product | None:
    """Bring the ratios up to the session, each night from the reports, closes and splits that were known on it."""
    sessions = sessions_of(night.stores, night.as_of)
    first = night.first_to_make((DAILY_BARS, FUNDAMENTALS, CORPORATE_ACTIONS), sessions)
    if first is None:
        return None
    reports = reports_by_instrument(night.stores, night.as_of)
    known_from = reports[KNOWN_FROM].min()
    # Before the first report there is nothing to relate a price to.
    wanted = [day for day in sessions if isinstance(known_from, date) and day >= max(first, known_from)]
    made = _ratios_from(night, reports, wanted[0]) if wanted else FUNDAMENTAL_RATIOS.empty()
    return Product(
        writes=(Write(FUNDAMENTAL_RATIOS, made, scope=(SESSION,), minimum_share=0.5, may_be_empty=True),),
        watermark=night.as_of,
        tables={"latest": made.filter(pl.col(SESSION) == night.as_of).drop(SESSION).sort(MARKET_VALUE, descending=True, nulls_last=True)},
        facts={"sessions_made": len(wanted)},
    )


def _ratios_from(night: Night, reports: pl.DataFrame, first: date) -> pl.DataFrame:
    actions = actions_by_instrument(night.stores, night.as_of)
    closes = closes_of_their_nights(night.stores, first, night.as_of)
    now = pl.col(KNOWN_TO).is_null() | (pl.col(KNOWN_TO) > night.as_of)
    traded = as_traded(closes, actions.filter(now))
    return ratios_of_sessions(reports, actions, traded, night.settings.source.currency)


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=(key_of(DAILY_FEATURES),),
        description="Features of every stock and session.",
        tables=(DAILY_FEATURES,),
        depends_on=(key_of(DAILY_BARS), key_of(CORPORATE_ACTIONS)),
        body=make_features,
        code_version=catalogue_hash(),
    ),
    StageAsset(
        keys=(key_of(FUNDAMENTAL_RATIOS),),
        description="Ratios of what companies report to each other and to the price.",
        tables=(FUNDAMENTAL_RATIOS,),
        depends_on=(key_of(DAILY_BARS), key_of(FUNDAMENTALS), key_of(CORPORATE_ACTIONS)),
        body=make_fundamental_ratios,
        code_version="2",
    ),
)
