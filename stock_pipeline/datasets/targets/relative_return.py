"""The target of the return: a stock's rank within its session, less what its exposures to the market explain of it.

What moves all volatile or all rising stocks together on one day is a bet on the market, not on a stock; it is most of the noise in a
session's ranks.
"""

from typing import Final

import polars as pl

from stock_pipeline.core.columns import FORWARD_RETURN, PREDICTED_RETURN, RETURN_SCALE, SCORE
from stock_pipeline.core.cross_section import session_rank
from stock_pipeline.datasets.targets.target_kind import TargetKind
from stock_pipeline.features.catalogue import EXPOSURES


def rank_of_return() -> pl.Expr:
    """The forward return's rank within its session, from -0.5 (worst) to 0.5 (best)."""
    return session_rank(FORWARD_RETURN)


def expected_return() -> pl.Expr:
    """The score times what a unit of it is worth: a return over the session's mean."""
    return pl.col(SCORE) * pl.col(RETURN_SCALE)


RETURN_KIND: Final = TargetKind(
    name="return",
    outcomes=(FORWARD_RETURN,),
    make=rank_of_return,
    prediction=PREDICTED_RETURN,
    predict=expected_return,
    exposures=EXPOSURES,
    is_stacked=True,
)
