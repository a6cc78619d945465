"""Errors of means of series whose values may depend on those before, such as of outcomes that overlap."""

from math import cbrt, ceil, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST_SESSIONS: Final = 8  # with fewer the error would rest on a single pair of cosines


def cosine_waves(count: int) -> int:
    """How many cosines an error of a mean of ``count`` values rests on: the degrees of freedom of its Student's t."""
    return ceil(0.4 * cbrt(count * count))


def error_of_mean(series: NDArray[np.float64]) -> float | None:
    """The standard error of a mean of dependent sessions, by equal-weighted cosines (EWC); None below 8 and where nothing varies.

    Source: Lazarus, Lewis, Stock and Watson (2018), HAR Inference: Recommendations for Practice, equations 5 and 9.

    Args:
        series: shape (sessions,), in the order of time.
    """
    count = len(series)
    if count < LEAST_SESSIONS:
        return None
    moments = (np.arange(count) + 0.5) / count
    weights = sqrt(2 / count) * np.cos(pi * np.arange(1, cosine_waves(count) + 1)[:, None] * moments)
    variance = float(((weights @ series) ** 2).mean())
    return None if variance <= np.finfo(float).eps * float(np.square(series).mean()) else sqrt(variance / count)
