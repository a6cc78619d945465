"""Features from bars: of every row of a panel at once, or of one session from its window alone, with the same bits either way."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.features.catalogue import CATALOGUE, feature_names, look_back
from stock_pipeline.features.feature import Feature
from stock_pipeline.features.grid import AGE, on_grid


def compute_features(panel: pl.DataFrame, features: Sequence[Feature] = CATALOGUE) -> pl.DataFrame:
    """The features of every bar.

    Args:
        panel: adjusted bars in any order: symbol (String), session (Date), open, high, low, close, volume (Float64). A ``jump``
            column is not looked at, as adjusted prices are continuous there.
        features: which features, each a column of the result.

    Returns:
        Symbol, session and one Float32 column per feature, a row for each bar whose prices are positive numbers, in the order of
        symbol and session. Where the history is too short or the formula divides by zero the value is null, never NaN or
        infinite.

    Raises:
        InputError: a symbol has two bars in one session.
    """
    grid = on_grid(panel, padding=look_back(features))
    return (
        grid.select(SYMBOL, SESSION, AGE, *(feature.expression.cast(pl.Float32).alias(feature.name) for feature in features))
        .filter(pl.col(AGE) == 0)
        .with_columns(pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in feature_names(features))
        .select(SYMBOL, SESSION, *(_rank(feature.name) if feature.ranked else feature.name for feature in features))
    )


def compute_night(panel: pl.DataFrame, session: date, features: Sequence[Feature] = CATALOGUE) -> pl.DataFrame:
    """The features of one session, from the ``look_back`` sessions of the panel that end with it and from nothing else.

    Args:
        panel: as for ``compute_features``; sessions outside the window are ignored.
        session: whose features to compute.
        features: which features.

    Returns:
        As ``compute_features``, the rows of ``session`` alone; none where the panel has no bar in it.

    Raises:
        InputError: a symbol has two bars in one session.
    """
    sessions = panel.filter(pl.col(SESSION) <= session)[SESSION].unique().sort()
    window = sessions.tail(look_back(features))
    return compute_features(panel.filter(pl.col(SESSION).is_in(window.implode())), features).filter(pl.col(SESSION) == session)


def _rank(name: str) -> pl.Expr:
    # Of the values as rounded to Float32: stocks that differ only by how their prices were scaled stay tied.
    value = pl.col(name)
    return ((value.rank("average") - 0.5) / value.count()).over(SESSION).cast(pl.Float32).alias(name)
