"""The training panel: features beside the outcome that followed, and both as ranks within their session.

Ranks within a session keep the market's level out: a feature that is high for every stock on one night (volatility in a crash)
says nothing about which stock to prefer, and a model that saw the level would learn the calendar. They are also bounded, which
splines need, and indifferent to outliers.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import FORWARD_RETURN, SESSION, SYMBOL

# What models learn: the forward return's rank within its session, from -0.5 (worst) to 0.5 (best).
TARGET: Final = "target"


def training_panel(features: pl.DataFrame, labels: pl.DataFrame, feature_names: Sequence[str]) -> pl.DataFrame:
    """Features and outcomes of the stocks and sessions that have both.

    Make the features model inputs first, ``training_panel(model_inputs(features, names, bounds), labels, names)``: ranked after the join, a
    stock's rank would depend on which of the others turned out to have a label, which no one knows on the night.

    Args:
        features: symbol, session and ``feature_names``; one row per symbol and session.
        labels: symbol, session and forward_return (null where it is not known yet); one row per symbol and session.
        feature_names: the features to keep, in the order in which models see them.

    Returns:
        session, symbol, the features, forward_return and target (Float64, -0.5 to 0.5; ties share their mean rank, and a stock
        alone in its session gets 0), sorted by session and symbol.
    """
    known = labels.select(SYMBOL, SESSION, FORWARD_RETURN).drop_nulls(FORWARD_RETURN)
    joined = features.select(SESSION, SYMBOL, *feature_names).join(known, on=[SYMBOL, SESSION], how="inner", validate="1:1")
    return joined.with_columns(session_rank(FORWARD_RETURN).alias(TARGET)).sort(SESSION, SYMBOL)


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


def session_rank(name: str) -> pl.Expr:
    """The rank of column ``name`` within its session, Float64 from -0.5 (lowest) to 0.5 (highest).

    Ties share their mean rank. Nulls and NaN stay null and do not count; a value alone in its session gets 0.
    """
    value = pl.col(name).cast(pl.Float64).fill_nan(None)
    others = (value.count().cast(pl.Float64) - 1.0).over(SESSION)
    above_lowest = (value.rank("average") - 1.0).over(SESSION)
    return pl.when(others > 0).then(above_lowest / others - 0.5).when(value.is_not_null()).then(0.0).alias(name)


def matrix(frame: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """The columns ``names`` as a float32 array of shape (rows, features), row after row in memory.

    Raises:
        ValueError: a value is null or not finite; make them ``model_inputs`` first.
    """
    values: NDArray[np.float32] = frame.select(pl.col(name).cast(pl.Float32) for name in names).to_numpy(order="c")
    if not np.isfinite(values).all():
        broken = [name for name, column in zip(names, values.T, strict=True) if not np.isfinite(column).all()]
        raise ValueError(f"features {', '.join(broken)} hold values that are null or not finite; make them model inputs first")
    return values
