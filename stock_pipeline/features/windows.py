"""Statistics over the last ``window`` sessions, as expressions on the grid.

A window with fewer than three quarters of its values gives null. Sums are taken anew in every window, as Polars does when weights
are given; a running sum would carry the rounding of the row where it started. So a value is the same to the last bit whether it
is computed from its window alone or amid years of history.
"""

from collections.abc import Sequence
from math import ceil

import polars as pl

# A spread this small against the squares it is taken from is rounding: the series is flat.
_FLAT = 1e-12


def least_samples(window: int) -> int:
    """How many values a window must hold."""
    return ceil(0.75 * window)


def total(series: pl.Expr, window: int) -> pl.Expr:
    """Sum of the values that are there."""
    return _where_enough(series, window, _sum(series, window))


def mean(series: pl.Expr, window: int) -> pl.Expr:
    """Mean of the values that are there."""
    return total(series, window) / _count(series, window)


def highest(series: pl.Expr, window: int) -> pl.Expr:
    """The largest value."""
    return series.rolling_max(window, min_samples=least_samples(window))


def lowest(series: pl.Expr, window: int) -> pl.Expr:
    """The smallest value."""
    return series.rolling_min(window, min_samples=least_samples(window))


def deviation(series: pl.Expr, window: int) -> pl.Expr:
    """Standard deviation, with n - 1 in the denominator; exactly 0 for a flat series."""
    return (_spread(series, window) / (_count(series, window) - 1)).sqrt()


def z_score(series: pl.Expr, window: int) -> pl.Expr:
    """Distance of the current value from the window's mean, in standard deviations."""
    return (series - mean(series, window)) / deviation(series, window)


def skewness(series: pl.Expr, window: int) -> pl.Expr:
    """Third central moment over the cube of the standard deviation, both with n in the denominator."""
    first, second, third = (mean(power, window) for power in (series, series * series, series * series * series))
    third_central = third - 3 * first * second + 2 * first.pow(3)
    return third_central / (_spread(series, window) / _count(series, window)).pow(1.5)


def correlation(left: pl.Expr, right: pl.Expr, window: int) -> pl.Expr:
    """Pearson's correlation over the sessions where both are there."""
    left, right = _paired(left, right)
    return _joint_spread(left, right, window) / (_spread(left, window) * _spread(right, window)).sqrt()


def regression_slope(response: pl.Expr, regressor: pl.Expr, window: int) -> pl.Expr:
    """Slope of the least-squares line of ``response`` on ``regressor`` over the sessions where both are there."""
    response, regressor = _paired(response, regressor)
    return _joint_spread(response, regressor, window) / _spread(regressor, window)


def trend_slope(series: pl.Expr, window: int) -> pl.Expr:
    """Slope per session of the least-squares line of the series on time."""
    joint, time_spread = _spread_with_time(series, window)
    return joint / time_spread


def trend_r2(series: pl.Expr, window: int) -> pl.Expr:
    """Share of the series' variance that its least-squares line on time explains; null for a flat series."""
    joint, time_spread = _spread_with_time(series, window)
    return joint.pow(2) / (time_spread * _spread(series, window))


def _count(series: pl.Expr, window: int) -> pl.Expr:
    return series.is_not_null().cast(pl.Int32).rolling_sum(window)


def _sum(series: pl.Expr, window: int) -> pl.Expr:
    return _weighted_sum(series, [1.0] * window)


def _weighted_sum(series: pl.Expr, weights: Sequence[float]) -> pl.Expr:
    return series.fill_null(0.0).rolling_sum(len(weights), weights=list(weights))


def _where_enough(series: pl.Expr, window: int, statistic: pl.Expr) -> pl.Expr:
    return pl.when(_count(series, window) >= least_samples(window)).then(statistic)


def _paired(left: pl.Expr, right: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    both = left.is_not_null() & right.is_not_null()
    return pl.when(both).then(left), pl.when(both).then(right)


def _spread(series: pl.Expr, window: int) -> pl.Expr:
    """Sum of the squared distances from the mean."""
    squares = _sum(series * series, window)
    raw = squares - _sum(series, window).pow(2) / _count(series, window)
    return _where_enough(series, window, pl.when(raw > _FLAT * squares).then(raw).otherwise(0.0))


def _joint_spread(left: pl.Expr, right: pl.Expr, window: int) -> pl.Expr:
    """Sum of the products of both series' distances from their means; the series are null in the same sessions."""
    return total(left * right, window) - _sum(left, window) * mean(right, window)


def _spread_with_time(series: pl.Expr, window: int) -> tuple[pl.Expr, pl.Expr]:
    """Joint spread of the series and of time, and the spread of time, over the sessions where the series is there."""
    times = [position - (window - 1) / 2 for position in range(window)]
    there = series.is_not_null().cast(pl.Float64)
    sum_of_times = _weighted_sum(there, times)
    joint = _weighted_sum(series, times) - sum_of_times * mean(series, window)
    return joint, _weighted_sum(there, [time * time for time in times]) - sum_of_times.pow(2) / _count(series, window)
