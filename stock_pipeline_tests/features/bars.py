"""Bars written by hand."""

from collections.abc import Sequence

import polars as pl

from stock_pipeline.core.columns import CLOSE, HIGH, JUMP, LOW, OPEN, SESSION, SYMBOL, VOLUME
from stock_pipeline.features.catalogue import CATALOGUE
from stock_pipeline.features.compute import compute_features
from stock_pipeline.features.feature import Feature
from stock_pipeline_tests.panels import sessions

BY_NAME = {feature.name: feature for feature in CATALOGUE}


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
