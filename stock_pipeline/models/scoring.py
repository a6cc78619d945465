"""From an estimator's output to a model's score, which for the return is partly neutralised against the exposures."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import SCORE, SESSION
from stock_pipeline.datasets.targets.neutralisation import residuals

# How much of the exposures is taken out of a score. All of it makes scores steadier but gives away what exposures do earn; at a
# quarter the stack's rank IC times its ICIR was the highest in 2008 and 2009, before the years that scores are reported of.
SHARE: Final = 0.25


def scored(rows: pl.DataFrame, scores: NDArray[Any], exposures: Sequence[str]) -> pl.DataFrame:
    """The rows with the column score: the estimator's output, less a quarter of what the exposures explain of it within each session.

    Args:
        rows: session and ``exposures``; every stock of a session, as on the night itself.
        exposures: the exposures to reduce; none leaves the score as it is.
    """
    if not exposures:
        return rows.with_columns(pl.Series(SCORE, np.asarray(scores, dtype=np.float64)))
    sessions = rows[SESSION].to_physical().to_numpy().astype(np.int64)
    left = neutralised_scores(np.asarray(scores, dtype=np.float64)[:, None], rows.select(exposures).to_numpy(), sessions)
    return rows.with_columns(pl.Series(SCORE, left[:, 0]))


def neutralised_scores(scores: NDArray[np.float64], exposures: NDArray[Any], sessions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Outputs of models, or contributions to one, in columns, less a quarter of what the exposures, shape (rows, exposures), explain."""
    return (1 - SHARE) * scores + SHARE * residuals(scores, exposures.astype(np.float64), sessions)
