"""Neutralisation: a column less what exposures explain of it within each session."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import SESSION

# Weighs against every exposure, in units of the exposures' sum of squares over a session: a rank among 12 stocks spreads by 1. So a
# handful of stocks is left almost as it is, and hundreds lose their exposures all but completely.
PENALTY: Final = 0.5


def neutralised(frame: pl.DataFrame, column: str, exposures: Sequence[str]) -> pl.DataFrame:
    """The frame with ``column`` less what the exposures explain of it within each session: the residual of a ridge regression.

    Neutralisation against known risk factors as in Grinold and Kahn (2000, Active Portfolio Management, chapter 15).

    Args:
        frame: session, ``column`` and ``exposures``; a row whose ``column`` is null keeps it and does not count.
        column: what to neutralise; its mean over the session becomes 0.
        exposures: columns of finite values of the order of a rank, -0.5 to 0.5.
    """
    order = frame[SESSION].rank("dense").to_numpy().astype(np.int64)
    values = frame[column].cast(pl.Float64).to_numpy()[:, None]
    held = frame.select(exposures).to_numpy().astype(np.float64).reshape(frame.height, len(exposures))
    left = residuals(values, held, order)[:, 0]
    return frame.with_columns(pl.Series(column, left, nan_to_null=True))


def residuals(values: NDArray[np.float64], exposures: NDArray[np.float64], sessions: NDArray[np.int64]) -> NDArray[np.float64]:
    """``neutralised`` for arrays: several columns at once, which share the rows that count.

    Args:
        values: shape (rows, columns); a row that is not finite in every column does not count and becomes NaN.
        exposures: shape (rows, exposures), finite.
        sessions: a number for each row's session, shape (rows,), in any order.
    """
    if not len(values):
        return values
    _, session, counts = np.unique(sessions, return_inverse=True, return_counts=True)
    order = np.argsort(session, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    session, known = session[order], np.all(np.isfinite(values[order]), axis=1, keepdims=True)

    def centred(columns: NDArray[np.float64]) -> NDArray[np.float64]:
        kept = np.where(known, columns[order], 0.0)
        rows = np.maximum(np.add.reduceat(known, starts, dtype=np.float64), 1.0)
        return columns[order] - (np.add.reduceat(kept, starts) / rows)[session]

    x, v = centred(exposures), centred(values)
    weighed = np.where(known, x, 0.0)
    squares = np.add.reduceat(weighed[:, :, None] * weighed[:, None, :], starts)
    products = np.add.reduceat(weighed[:, :, None] * np.where(known, v, 0.0)[:, None, :], starts)
    slopes = np.linalg.solve(squares + PENALTY * np.eye(x.shape[1]), products)
    made = np.empty_like(v)
    made[order] = v - np.einsum("ne,nec->nc", x, slopes[session])
    return made
