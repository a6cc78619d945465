"""What models learn: the target of each kind of model, made so that 0 is what one would say who knows nothing of the stock."""

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from stock_pipeline.core.columns import DIRECTION, FORWARD_RETURN, FORWARD_VOLATILITY, SESSION
from stock_pipeline.datasets.training_panel import session_rank

# The column that models learn.
TARGET: Final = "target"

Kind = Literal["return", "direction", "volatility"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

PAST_VOLATILITY: Final = "past_volatility"
# Weighs against every exposure, in units of the exposures' sum of squares over a session: a rank among 12 stocks spreads by 1. So a
# handful of stocks is left almost as it is, and hundreds lose their exposures all but completely.
PENALTY: Final = 0.5


def with_target(panel: pl.DataFrame, kind: Kind, exposures: Sequence[str]) -> pl.DataFrame:
    """The panel with the target of one kind of model (Float64; null where the outcome is not known).

    - return: the forward return's rank within its session, less what the stocks' ``exposures`` to the market explain of it, ranked
      again, from -0.5 (worst) to 0.5 (best). What moves all volatile or all rising stocks together on one day is a bet on the market,
      not on a stock; it is most of the noise in a session's ranks.
    - direction: 0.5 where the forward return is positive, otherwise -0.5.
    - volatility: the log of the forward volatility over the past volatility: 0 where the stock goes on as it was.

    Args:
        panel: session, ``exposures`` and the outcomes: forward_return, direction, or forward_volatility with past_volatility.
        kind: which target.
        exposures: columns of ranks within the session.
    """
    if kind == "direction":
        return panel.with_columns((pl.col(DIRECTION).cast(pl.Float64) - 0.5).alias(TARGET))
    if kind == "volatility":
        ahead, past = pl.col(FORWARD_VOLATILITY), pl.col(PAST_VOLATILITY)
        return panel.with_columns(pl.when((ahead > 0) & (past > 0)).then((ahead / past).log()).alias(TARGET))
    ranked = panel.with_columns(session_rank(FORWARD_RETURN).alias(TARGET))
    return neutralised(ranked, TARGET, exposures).with_columns(session_rank(TARGET))


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
