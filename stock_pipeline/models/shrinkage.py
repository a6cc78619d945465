"""Slopes found on many sessions, with their standard errors, and what is left of one after its error is allowed for."""

from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Slope(NamedTuple):
    """A slope and its standard error, which is infinite where nothing tells of the slope."""

    value: float
    error: float

    @property
    def shrunk(self) -> float:
        """The slope times t^2 / (1 + t^2), with t the slope over its error; 0 where it does not rise.

        Of all multiples of an estimate, the slope times t^2 / (1 + t^2) has the least mean squared error where t is the true slope
        over the error; here t is the one found (Thompson 1968, Some shrinkage techniques for estimating the mean, Journal of the
        American Statistical Association 63). A slope of two errors keeps four fifths, one of half an error a fifth.
        """
        if self.value <= 0:
            return 0.0
        return self.value / (1 + (self.error / self.value) ** 2)


def slope_through_origin(products: NDArray[np.float64], squares: NDArray[np.float64], lags: int = 0) -> Slope:
    """The least-squares slope of y on x through the origin, from the sums over each session; its error is by session.

    Args:
        products: the sum of x y over the stocks of each session, shape (sessions,), in the order of time.
        squares: the sum of x squared, likewise.
        lags: as for ``error_of_sum``.
    """
    total = float(squares.sum())
    if not total > 0:
        return Slope(0.0, inf)
    value = float(products.sum()) / total
    return Slope(value, error_of_sum(products - value * squares, lags) / total)


def error_of_sum(moments: NDArray[np.float64], lags: int = 0) -> float:
    """The standard error of the sum of a series that has one number for each session.

    The stocks of a session move together, so that it is the sessions that count, not the rows (Driscoll and Kraay 1998, Consistent
    covariance matrix estimation with spatially dependent panel data). Covariances with the sessions before are weighed as by Newey
    and West (1987).

    Args:
        moments: shape (sessions,), in the order of time, of mean about 0.
        lags: on how many sessions before it a session's number may depend, as outcomes that overlap do; at most a quarter of the
            series is allowed for.

    Returns:
        The error; infinite below two sessions.
    """
    count = len(moments)
    if count < 2:
        return inf
    lags = min(lags, count // 4)
    variance = float(moments @ moments)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(moments[lag:] @ moments[:-lag])
    # One slope is estimated from the sessions.
    return sqrt(max(variance, 0.0) * count / (count - 1))
