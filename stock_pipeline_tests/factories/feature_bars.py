"""Bars written by hand, and the panels that every feature can be made of."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, JUMP, LOW, OPEN, PRICE_FACTOR, PRICES, SECTOR, SESSION, SYMBOL, VOLUME, VOLUME_FACTOR
from stock_pipeline.features.catalogue import COMBINED
from stock_pipeline.features.compute import compute_features, session_span
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.fundamental_ratios import RATIOS
from stock_pipeline_tests.factories.panels import adjusted_panel, sessions

EVERY_FEATURE: Final = COMBINED.features
AWKWARD: Final = 110  # sessions of the awkward panel
BY_NAME: Final = {feature.name: feature for feature in EVERY_FEATURE}


def bars(
    closes: Sequence[float],
    volumes: Sequence[float | None] | None = None,
    symbol: str = "A",
    ranges: Sequence[tuple[float, float, float]] | None = None,
) -> pl.DataFrame:
    """Consecutive bars with these closes; ``ranges`` are their (open, high, low), all equal to the close unless given."""
    opens, highs, lows = zip(*ranges, strict=True) if ranges else (closes, closes, closes)
    return pl.DataFrame(
        {
            SYMBOL: [symbol] * len(closes),
            SESSION: sessions(len(closes)),
            OPEN: [float(value) for value in opens],
            HIGH: [float(value) for value in highs],
            LOW: [float(value) for value in lows],
            CLOSE: [float(value) for value in closes],
            VOLUME: [None if value is None else float(value) for value in volumes or [100.0] * len(closes)],
            JUMP: [False] * len(closes),
        },
        schema_overrides={VOLUME: pl.Float64},
    )


def values(panel: pl.DataFrame, name: str, symbol: str = "A") -> list[float | None]:
    """One catalogue feature of one symbol, session by session."""
    return values_of(panel, BY_NAME[name], symbol)


def values_of(panel: pl.DataFrame, feature: Feature, symbol: str = "A") -> list[float | None]:
    """Any feature of one symbol, session by session."""
    return compute_features(panel, [feature]).filter(pl.col(SYMBOL) == symbol)[feature.name].to_list()


def last(panel: pl.DataFrame, name: str, symbol: str = "A") -> float | None:
    """One catalogue feature of one symbol on the last session."""
    return values(panel, name, symbol)[-1]


def awkward_panel(seed: int = 0, missing_share: float = 0.05) -> pl.DataFrame:
    """110 sessions of random stocks with sectors and ratios; one never moves, one is never traded, one pauses, one is listed late.

    Enough stocks are left for factors, and enough sessions for the longest window.
    """
    panel = adjusted_panel(symbols=12, count=AWKWARD, seed=seed, missing_share=missing_share)
    days = panel[SESSION].unique().sort()
    still, silent, paused, late = (pl.col(SYMBOL) == name for name in ("S00", "S01", "S02", "S03"))
    listed = panel.filter(~(paused & pl.col(SESSION).is_between(days[50], days[59])) & ~(late & (pl.col(SESSION) < days[70])))
    return with_companies(listed, seed).with_columns(
        *(pl.when(still).then(10.1).otherwise(price).alias(price) for price in PRICES),
        pl.when(silent).then(0.0).otherwise(VOLUME).alias(VOLUME),
    )


def with_companies(panel: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """The panel with sectors (two, and one that is not known) and the ratios of what was reported, some of them null."""
    rng = np.random.default_rng([seed, 1])
    number = pl.col(SYMBOL).rank("dense")
    sector = pl.when(number % 3 == 0).then(pl.lit("Energy")).when(number % 3 == 1).then(pl.lit("Utilities"))
    ratios = [pl.Series(name, rng.lognormal(1, 0.5, panel.height)) for name in RATIOS]
    told = [pl.when(pl.Series(rng.random(panel.height) < 0.9)).then(ratio).alias(ratio.name) for ratio in ratios]
    return panel.with_columns(sector.alias(SECTOR), *told)


def with_actions(panel: pl.DataFrame, share: float = 0.04, seed: int = 0) -> pl.DataFrame:
    """The panel of adjusted bars as raw ones, with dividends and splits on about that share of the bars.

    Its adjusted prices are those of ``panel``, up to rounding.
    """
    rng = np.random.default_rng([seed, 2])
    panel = panel.sort(SYMBOL, SESSION)
    acts = rng.random(panel.height) < share
    split = np.where(acts & (rng.random(panel.height) < 0.3), rng.choice([2.0, 3.0, 0.5], panel.height), 1.0)
    step = np.where(acts, rng.uniform(0.95, 0.999, panel.height) / split, 1.0)
    stepped = panel.with_columns(pl.Series(PRICE_FACTOR, step), pl.Series(VOLUME_FACTOR, split))
    price, shares = (pl.col(name).shift(-1).fill_null(1.0).cum_prod(reverse=True).over(SYMBOL) for name in (PRICE_FACTOR, VOLUME_FACTOR))
    return stepped.with_columns(*(pl.col(name) / price for name in PRICES), pl.col(VOLUME) / shares)


def compute_night(panel: pl.DataFrame, session: date, features: Sequence[Feature]) -> pl.DataFrame:
    """The features of one session, from the sessions that its windows reach and from nothing else, as its night has them."""
    window = panel.filter(pl.col(SESSION) <= session)[SESSION].unique().sort().tail(session_span(features))
    return compute_features(panel.filter(pl.col(SESSION).is_in(window.implode())), features, first=session)
