"""The asset of the features."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import SESSION
from stock_pipeline.features.catalogue import catalogue_hash, feature_names, look_back
from stock_pipeline.features.compute import compute_features, compute_night
from stock_pipeline.features.pictures import heat_map
from stock_pipeline.features.tables import DAILY_FEATURES
from stock_pipeline.market_data.prices import adjust
from stock_pipeline.market_data.reading import actions_known, raw_bars, sessions_of
from stock_pipeline.market_data.tables import CORPORATE_ACTIONS, DAILY_BARS
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


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=(key_of(DAILY_FEATURES),),
        description="Features of every stock and session.",
        tables=(DAILY_FEATURES,),
        depends_on=(key_of(DAILY_BARS), key_of(CORPORATE_ACTIONS)),
        body=make_features,
        code_version=catalogue_hash(),
    ),
)
