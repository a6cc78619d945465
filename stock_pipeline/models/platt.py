"""Platt scaling: from sums or scores to probabilities, as far as their order within sessions has proved right."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.models.shrinkage import Slope, error_of_sum

NEWTON_STEPS: Final = 50


class Line(NamedTuple):
    """Log-odds as a line through what was said: ``slope * (said - its session's mean) + intercept``."""

    slope: Slope
    intercept: float


def platt(said: NDArray[np.float64], happened: NDArray[np.float64], sessions: NDArray[np.int64], lags: int = 0) -> Line:
    """The line through ``said`` less its session's mean under which what happened is the most probable, with the error of its slope.

    Platt's method (1999, Probabilistic outputs for support vector machines) with his smoothed targets, by Newton's method with step
    halving (Lin, Lin and Weng 2007). What moves all stocks of a session says nothing of their order, but is most of the noise: so
    the line goes through the deviations from the session's mean, and the error of its slope is by session, see ``error_of_sum``.

    Args:
        said: sums or scores, shape (samples,).
        happened: 1 where it did, otherwise 0; shape (samples,).
        sessions: a number for each sample's session, which orders them in time; shape (samples,).
        lags: as for ``error_of_sum``.
    """
    _, session, counts = np.unique(sessions, return_inverse=True, return_counts=True)
    deviation = said - (np.bincount(session, said) / counts)[session]
    spread = float(deviation.std())
    happenings, others = float(happened.sum()), float(len(happened) - happened.sum())
    wanted = np.where(happened == 1, (happenings + 1) / (happenings + 2), 1 / (others + 2))
    if not spread > 1e-12 * float(np.abs(said).max(initial=0.0)):
        return Line(Slope(0.0, float("inf")), log_odds(float(wanted.mean())))
    # Deviations of spread 1 make a well-conditioned equation.
    x = deviation / spread
    line = _fitted(np.column_stack([x, np.ones_like(x)]), wanted)
    p = _probability(line[0] * x + line[1])
    # The mean of x is 0, so that slope and intercept hardly depend on each other.
    curvature = float(np.sum(x * x * p * (1 - p)))
    error = error_of_sum(np.bincount(session, x * (happened - p)).astype(np.float64), lags) / curvature
    return Line(Slope(float(line[0]) / spread, error / spread), float(line[1]))


def _fitted(design: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    line = np.array([0.0, log_odds(float(wanted.mean()))])
    loss = _loss(design, wanted, line)
    for _ in range(NEWTON_STEPS):
        p = _probability(design @ line)
        slant = design.T @ (p - wanted)
        step = np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]), slant)
        share = 1.0
        while (new := _loss(design, wanted, line - share * step)) > loss and share > 1e-10:
            share /= 2
        line, gain, loss = line - share * step, loss - new, new
        if gain <= 1e-12 * abs(loss):
            break
    return line


def _probability(z: NDArray[np.float64]) -> NDArray[np.float64]:
    # In the form that neither overflows nor cancels.
    return np.asarray(0.5 + np.tanh(z / 2) / 2)


def _loss(design: NDArray[np.float64], wanted: NDArray[np.float64], line: NDArray[np.float64]) -> float:
    z = design @ line
    return float(np.sum(np.logaddexp(0, z) - wanted * z))


def log_odds(p: float) -> float:
    """The logarithm of p to 1 - p, for p between 0 and 1."""
    return float(np.log(p / (1 - p)))
