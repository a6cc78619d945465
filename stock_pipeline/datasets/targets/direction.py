"""The target of the direction: whether the forward return is positive."""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import DIRECTION, PROBABILITY_UP, SCORE
from stock_pipeline.datasets.targets.target_kind import TargetKind

DIRECTION_KIND: Final = TargetKind(
    name="direction",
    outcomes=(DIRECTION,),
    make=pl.col(DIRECTION).cast(pl.Float64) - 0.5,  # 0.5 where the forward return is positive, otherwise -0.5
    prediction=PROBABILITY_UP,
    predict=pl.col(SCORE) + 0.5,
    judged_by="loss",  # the Brier score (1950), as score and target are both 0.5 below probability and outcome
    charts=("calibration",),
)
