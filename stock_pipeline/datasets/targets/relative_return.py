"""The target of the return: a stock's rank within its session, neutralised against its exposures.

What moves all volatile or all rising stocks together on one day is a bet on the market, not on a stock; it is most of the noise in a
session's ranks.
"""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import FORWARD_RETURN, PREDICTED_EXCESS_RETURN, RETURN_SCALE, SCORE, SESSION
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.datasets.targets.target_kind import TargetKind
from stock_pipeline.features.catalogue import EXPOSURES

RETURN_KIND: Final = TargetKind(
    name="return",
    outcomes=(FORWARD_RETURN,),
    make=session_rank(FORWARD_RETURN),  # from -0.5 (worst) to 0.5 (best)
    prediction=PREDICTED_EXCESS_RETURN,
    # Over the session's mean, so that of a session's stocks it is 0 on average.
    predict=(pl.col(SCORE) - pl.col(SCORE).mean().over(SESSION)) * pl.col(RETURN_SCALE),
    calibration=(RETURN_SCALE,),
    exposures=EXPOSURES,
    is_stacked=True,
)
