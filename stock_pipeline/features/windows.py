"""Statistics over the last ``window`` sessions, as expressions on the grid.

A window with fewer than three quarters of its values gives null, unless a function is given another minimum. Sums are taken again in
every window, as Polars does when weights are given; a running sum would carry the rounding of the row where it started. So a value is
the same to the last bit whether it is computed from its window alone or amid years of history.
"""

from collections.abc import Sequence
from math import ceil, inf

import polars as pl

# A spread this small against the squares it is taken from is rounding: the series is flat.
_FLAT = 1e-12

# What ``_given`` binds: the series, how many of its values the window holds, their sum and the sum of their squares.
_X, _N, _SUM, _SQUARES = pl.field("x"), pl.field("n"), pl.field("sum"), pl.field("squares")
# The second series; where there are two, each is null where the other one is.
_Y, _SUM_Y, _SQUARES_Y, _PRODUCTS = pl.field("y"), pl.field("sum_y"), pl.field("squares_y"), pl.field("products")
# Sums over the sessions where the series is there: of the time, of its square, of time x series. Time is 0 amid the window.
_TIMES, _SQUARED_TIMES, _TIMES_X = pl.field("times"), pl.field("squared_times"), pl.field("times_x")


def least_samples(window: int) -> int:
    """How many values a window must hold."""
    return ceil(0.75 * window)


def total(series: pl.Expr, window: int) -> pl.Expr:
    """Sum of the values that are there."""
    return _given(_where_enough(window, _SUM), {"x": series}, _sums(window))


def mean(series: pl.Expr, window: int, least: int | None = None) -> pl.Expr:
    """Mean of the values that are there, where there are ``least`` of them."""
    return _given(_where_enough(window, _SUM / _N, least), {"x": series}, _sums(window))


def wilder_mean(series: pl.Expr, period: int, window: int) -> pl.Expr:
    """Wilder's smoothed mean of ``period`` sessions, as it stands at the end of the window.

    It starts as the mean of the window's first ``period`` values and moves by 1/``period`` of the way to each later one, as TA-Lib's
    does when it is given the window alone. Where values are missing, the others bear their weight.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978).
    """
    return _recursive_mean(series, period, window, 1 / period)


def exponential_mean(series: pl.Expr, period: int, window: int) -> pl.Expr:
    """The exponential moving average of ``period`` sessions, as it stands at the end of the window.

    As ``wilder_mean``, but moving by 2/(``period`` + 1) of the way.

    Source: G. Appel, The Moving Average Convergence-Divergence Trading Method (1979).
    """
    return _recursive_mean(series, period, window, 2 / (period + 1))


def highest(series: pl.Expr, window: int) -> pl.Expr:
    """The largest value."""
    return series.rolling_max(window, min_samples=least_samples(window))


def lowest(series: pl.Expr, window: int) -> pl.Expr:
    """The smallest value."""
    return series.rolling_min(window, min_samples=least_samples(window))


def position_of_highest(series: pl.Expr, window: int) -> pl.Expr:
    """Which session of the window has the largest value: 1 is the oldest; of equal values the oldest counts."""
    top, position = pl.field("top"), pl.field("position")
    start = {"n": _count(_X, window), "top": _X.fill_null(-inf), "position": pl.lit(window, dtype=pl.Int32)}
    merges = []
    for back in _doublings(window):
        older = top.shift(back, fill_value=-inf)
        of_older = position.shift(back, fill_value=0) - back
        merges.append({"top": pl.max_horizontal(top, older), "position": pl.when(older >= top).then(of_older).otherwise(position)})
    return _given(_where_enough(window, position), {"x": series}, start, *merges)


def position_of_lowest(series: pl.Expr, window: int) -> pl.Expr:
    """Which session of the window has the smallest value: 1 is the oldest; of equal values the oldest counts."""
    return position_of_highest(-series, window)


def quantile(series: pl.Expr, share: float, window: int) -> pl.Expr:
    """The value below which lies this share of the values, linear between the two nearest."""
    least, gappy, near = least_samples(window), pl.field("gappy"), pl.field("near")
    # Polars takes four times as long where a series has nulls: it gets the windows that lack values alone, with the rows they need.
    of_full = _X.fill_null(0.0).rolling_quantile(share, "linear", window)
    of_gappy = _X.filter(near).rolling_quantile(share, "linear", window, min_samples=least)
    place_among_near = pl.when(gappy).then(near.cum_sum().cast(pl.Int64) - 1)
    return _given(
        pl.when(window == _N).then(of_full).otherwise(of_gappy.gather(place_among_near)),
        {"x": series},
        {"n": _count(_X, window)},
        {"gappy": (least <= _N) & (window > _N)},
        {"near": (gappy.cast(pl.Int32).rolling_sum(window, min_samples=1).shift(1 - window) > 0).fill_null(True)},
    )


def percentile_rank(series: pl.Expr, window: int) -> pl.Expr:
    """Rank of the current value among the window's, over their number; equal values share their mean rank."""
    current = pl.field("current")
    earlier = [current.shift(back, fill_value=inf) for back in range(1, window)]
    none, one, two = (pl.lit(half_ranks, dtype=pl.Int16) for half_ranks in range(3))
    # Twice the rank: 2 for itself, 2 for each value that is smaller, 1 for each that is equal. A missing one is never smaller.
    below = pl.sum_horizontal(pl.when(value < current).then(two).when(value == current).then(one).otherwise(none) for value in earlier)
    rank = (below + 2) / (2 * _N)
    of_present = pl.when(_X.is_not_null()).then(rank)
    return _given(_where_enough(window, of_present), {"x": series}, {"n": _count(_X, window), "current": _X.fill_null(inf)})


def deviation(series: pl.Expr, window: int) -> pl.Expr:
    """Standard deviation, with n - 1 in the denominator; exactly 0 for a flat series."""
    return _given(_where_enough(window, _deviation()), {"x": series}, _sums(window) | _sum_of_squares(window))


def variability(series: pl.Expr, window: int) -> pl.Expr:
    """Standard deviation over the mean."""
    return _given(_where_enough(window, _deviation() / (_SUM / _N)), {"x": series}, _sums(window) | _sum_of_squares(window))


def z_score(series: pl.Expr, window: int) -> pl.Expr:
    """Distance of the current value from the window's mean, in standard deviations."""
    score = (_X - _SUM / _N) / _deviation()
    return _given(_where_enough(window, score), {"x": series}, _sums(window) | _sum_of_squares(window))


def skewness(series: pl.Expr, window: int) -> pl.Expr:
    """Third central moment over the cube of the standard deviation, both with n in the denominator."""
    first, second, third = (powers / _N for powers in (_SUM, _SQUARES, pl.field("cubes")))
    third_central = third - 3 * first * second + 2 * first.pow(3)
    skew = third_central / (_spread(_SQUARES, _SUM) / _N).pow(1.5)
    powers = _sums(window) | _sum_of_squares(window) | {"cubes": _sum(_X * _X * _X, window)}
    return _given(_where_enough(window, skew), {"x": series}, powers)


def correlation(left: pl.Expr, right: pl.Expr, window: int) -> pl.Expr:
    """Pearson's correlation over the sessions where both are there; null where one of them is flat."""
    both_spreads = _spread(_SQUARES, _SUM) * _spread(_SQUARES_Y, _SUM_Y)
    bounded = pl.when(both_spreads > 0).then((_joint_spread() / both_spreads.sqrt()).clip(-1, 1))
    return _given(_where_enough(window, bounded), *_paired(left, right), _joint_sums(window) | _sum_of_squares(window))


def regression_slope(response: pl.Expr, regressor: pl.Expr, window: int) -> pl.Expr:
    """Slope of the least-squares line of ``response`` on ``regressor`` over the sessions where both are there."""
    slope = _joint_spread() / _spread(_SQUARES_Y, _SUM_Y)
    return _given(_where_enough(window, slope), *_paired(response, regressor), _joint_sums(window))


def trend(series: pl.Expr, window: int) -> pl.Expr:
    """The least-squares line of the series on time, as a struct.

    ``slope`` is per session; ``r2`` the share of the variance that the line explains, null for a flat series; ``residual`` the
    current value less the line's.
    """
    both_spreads = _spread_of_time() * _spread(_SQUARES, _SUM)
    since_middle = (window - 1) / 2 - _TIMES / _N
    line = {
        "slope": _slope_on_time(),
        "r2": pl.when(both_spreads > 0).then((_joint_spread_with_time().pow(2) / both_spreads).clip(0, 1)),
        "residual": _X - _SUM / _N - _slope_on_time() * since_middle,
    }
    found = pl.struct(_where_enough(window, value).alias(name) for name, value in line.items())
    return _given(found, {"x": series}, _sums_with_time(window) | _sum_of_squares(window))


def _given(result: pl.Expr, *steps: dict[str, pl.Expr]) -> pl.Expr:
    """``result``, in which ``pl.field(name)`` stands for what the steps bind; each step sees the fields of those before it.

    A bound expression is evaluated once. Written out in each place it would be evaluated in each: Polars' optimiser never shares a
    rolling function.
    """
    first, *later = steps
    bound = pl.struct(*(value.alias(name) for name, value in first.items()))
    for step in (*later, {"result": result}):
        bound = bound.struct.with_fields(**step)
    return bound.struct.field("result")


def _where_enough(window: int, statistic: pl.Expr, least: int | None = None) -> pl.Expr:
    return pl.when((least_samples(window) if least is None else least) <= _N).then(statistic)


def _count(series: pl.Expr, window: int) -> pl.Expr:
    return series.is_not_null().cast(pl.Int32).rolling_sum(window)


def _sum(series: pl.Expr, window: int) -> pl.Expr:
    return _weighted_sum(series, [1.0] * window)


def _weighted_sum(series: pl.Expr, weights: Sequence[float]) -> pl.Expr:
    return series.fill_null(0.0).rolling_sum(len(weights), weights=list(weights))


def _sums(window: int) -> dict[str, pl.Expr]:
    return {"n": _count(_X, window), "sum": _sum(_X, window)}


def _sum_of_squares(window: int) -> dict[str, pl.Expr]:
    return {"squares": _sum(_X * _X, window)}


def _spread(squares: pl.Expr, sum_: pl.Expr) -> pl.Expr:
    """Sum of the squared distances from the mean."""
    raw = squares - sum_.pow(2) / _N
    return pl.when(raw > _FLAT * squares).then(raw).otherwise(0.0)


def _deviation() -> pl.Expr:
    return (_spread(_SQUARES, _SUM) / (_N - 1)).sqrt()


def _paired(x: pl.Expr, y: pl.Expr) -> tuple[dict[str, pl.Expr], dict[str, pl.Expr]]:
    both = _X.is_not_null() & _Y.is_not_null()
    return {"x": x, "y": y}, {"x": pl.when(both).then(_X), "y": pl.when(both).then(_Y)}


def _joint_sums(window: int) -> dict[str, pl.Expr]:
    of_y = {"sum_y": _sum(_Y, window), "squares_y": _sum(_Y * _Y, window)}
    return _sums(window) | of_y | {"products": _sum(_X * _Y, window)}


def _joint_spread() -> pl.Expr:
    """Sum of the products of both series' distances from their means."""
    return _PRODUCTS - _SUM * (_SUM_Y / _N)


def _sums_with_time(window: int) -> dict[str, pl.Expr]:
    times = [position - (window - 1) / 2 for position in range(window)]
    there = _X.is_not_null().cast(pl.Float64)
    return _sums(window) | {
        "times_x": _weighted_sum(_X, times),
        "times": _weighted_sum(there, times),
        "squared_times": _weighted_sum(there, [time * time for time in times]),
    }


def _joint_spread_with_time() -> pl.Expr:
    return _TIMES_X - _TIMES * (_SUM / _N)


def _spread_of_time() -> pl.Expr:
    return _SQUARED_TIMES - _TIMES.pow(2) / _N


def _slope_on_time() -> pl.Expr:
    return _joint_spread_with_time() / _spread_of_time()


def _recursive_mean(series: pl.Expr, period: int, window: int, step: float) -> pl.Expr:
    if not 1 <= period <= window:
        raise ValueError(f"a recursive mean of {period} sessions needs a window of at least as many; it was given {window}")
    later = window - period
    first_ones = [(1 - step) ** later / period] * period
    weights = [*first_ones, *(step * (1 - step) ** (later - 1 - place) for place in range(later))]
    sums = {
        "n": _count(_X, window),
        "sum": _weighted_sum(_X, weights),
        "weights": _weighted_sum(_X.is_not_null().cast(pl.Float64), weights),
    }
    return _given(_where_enough(window, _SUM / pl.field("weights")), {"x": series}, sums)


def _doublings(window: int) -> list[int]:
    """How far back to shift, step after step, so that pairs merge into fours, fours into eights, until the window is covered."""
    steps, covered = [], 1
    while covered < window:
        steps.append(min(covered, window - covered))
        covered += steps[-1]
    return steps
