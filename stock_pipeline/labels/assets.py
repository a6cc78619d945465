"""The asset of the labels."""

from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from stock_pipeline.core.calendar import trading_calendar
from stock_pipeline.core.columns import FORWARD_RETURN, SESSION
from stock_pipeline.labels.compute import compute_labels, label_reach
from stock_pipeline.labels.pictures import return_bands
from stock_pipeline.labels.tables import DAILY_LABELS
from stock_pipeline.market_data.reading import adjusted_bars, sessions_of
from stock_pipeline.market_data.tables import CORPORATE_ACTIONS, DAILY_BARS
from stock_pipeline.orchestration.night import Night, Product
from stock_pipeline.orchestration.stage_asset import StageAsset, key_of
from stock_pipeline.storage import Write


def make_labels(night: Night) -> Product | None:
    """Label every session up to ``as_of``; those whose outcome has only now become known are made again."""
    sessions = sessions_of(night.stores, night.as_of)
    first = night.first_to_make((DAILY_BARS, CORPORATE_ACTIONS), sessions)
    if first is None:
        return None
    horizon = night.settings.labels.volatility_horizon
    start = sessions[max(0, sessions.index(first) - label_reach(horizon))]
    bars = adjusted_bars(night.stores, night.as_of, night.settings.quality.jump_ratio, start)
    calendar = trading_calendar(night.settings.exchange)
    exchange_sessions = calendar.sessions_between(start, calendar.next_session(night.as_of))
    made = compute_labels(bars, dict(pairwise(exchange_sessions)), horizon)
    unknown = made.filter(pl.col(FORWARD_RETURN).is_null()).height
    return Product(
        writes=(Write(DAILY_LABELS, made, scope=(SESSION,), minimum_share=0.5),),
        watermark=night.as_of,
        pictures={"forward_returns": return_bands(made)},
        facts={"sessions_made": made[SESSION].n_unique(), "without_outcome": unknown},
    )


ASSETS: Sequence[StageAsset] = (
    StageAsset(
        keys=(key_of(DAILY_LABELS),),
        description="What followed each session.",
        tables=(DAILY_LABELS,),
        depends_on=(key_of(DAILY_BARS), key_of(CORPORATE_ACTIONS)),
        body=make_labels,
    ),
)
