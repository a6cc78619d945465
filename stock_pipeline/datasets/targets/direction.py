"""The target of the direction: whether the forward return is positive."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import DIRECTION, PROBABILITY_UP, SCORE
from stock_pipeline.datasets.targets.target_kind import TargetKind


def half_up_or_down() -> pl.Expr:
    """0.5 where the forward return is positive, otherwise -0.5."""
    return pl.col(DIRECTION).cast(pl.Float64) - 0.5


def probability_of_a_rise() -> pl.Expr:
    """The score counted from 0 in place of -0.5."""
    return pl.col(SCORE) + 0.5


DIRECTION_KIND: Final = TargetKind(
    name="direction",
    outcomes=(DIRECTION,),
    make=half_up_or_down,
    prediction=PROBABILITY_UP,
    predict=probability_of_a_rise,
    pictures=("calibration",),
)
