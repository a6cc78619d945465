"""The training panel: features beside what came of them, the features as ranks within their session.

Ranks within a session keep the market's level out: a feature that is high for every stock on one night (volatility in a crash)
says nothing about which stock to prefer, and a model that saw the level would learn the calendar. They are also bounded, which
splines need, and indifferent to outliers.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from stock_pipeline.core.columns import SESSION, SYMBOL
from stock_pipeline.core.cross_section import session_rank


def training_panel(features: pl.DataFrame, outcomes: pl.DataFrame, feature_names: Sequence[str]) -> pl.DataFrame:
    """Every row of features beside what came of it, where that is known.

    Make the features model inputs first, ``training_panel(model_inputs(features, names, bounds), outcomes, names)``: ranked among the
    rows that have an outcome, a stock's rank would depend on which of the others turned out to have one, which no one knows on the
    night. Rows without an outcome stay, because models that look at several sessions look at them too.

    Args:
        features: symbol, session and ``feature_names``; one row per symbol and session.
        outcomes: symbol, session and what came of it, null or left out where it is not known yet; one row per symbol and session.
        feature_names: the features to keep, in the order in which models see them.

    Returns:
        session, symbol, the features and the columns of the outcomes, sorted by session and symbol.
    """
    kept = features.select(SESSION, SYMBOL, *feature_names)
    return kept.join(outcomes, on=[SYMBOL, SESSION], how="left", validate="1:1").sort(SESSION, SYMBOL)


def model_inputs(frame: pl.DataFrame, names: Sequence[str], bounds: Mapping[str, tuple[float, float]]) -> pl.DataFrame:
    """The frame with each of the columns ``names`` as models see it: Float32 from -0.5 to 0.5.

    A feature becomes its rank within its session. One that has ``bounds`` is the same for every stock of a session, so that a rank
    would say nothing: it is scaled from its lower bound (-0.5) to its upper one (0.5). Nulls (and NaN) become 0, the middle: a
    feature that is missing speaks neither for a stock nor against it, and every model, splines included, can take the row.
    """
    return frame.with_columns(
        (_scaled(name, *bounds[name]) if name in bounds else session_rank(name)).fill_null(0.0).cast(pl.Float32) for name in names
    )


def _scaled(name: str, low: float, high: float) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64).fill_nan(None).clip(low, high)
    return (value - low) / (high - low) - 0.5
