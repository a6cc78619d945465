from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stock_pipeline.features import windows

X, Y = pl.col("x"), pl.col("y")
WINDOW = 8
NUMBERS = st.lists(st.one_of(st.none(), st.floats(-100, 100).map(lambda x: round(x, 3))), min_size=30, max_size=30)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.polyfit(x, y, 1)[0])


class Sample(NamedTuple):
    """What a window holds: the two series and the time."""

    x: np.ndarray
    y: np.ndarray
    t: np.ndarray


STATISTICS: dict[str, tuple[pl.Expr, Callable[[Sample], float]]] = {
    "total": (windows.total(X, WINDOW), lambda s: s.x.sum()),
    "mean": (windows.mean(X, WINDOW), lambda s: s.x.mean()),
    "highest": (windows.highest(X, WINDOW), lambda s: s.x.max()),
    "lowest": (windows.lowest(X, WINDOW), lambda s: s.x.min()),
    "deviation": (windows.deviation(X, WINDOW), lambda s: s.x.std(ddof=1)),
    "z_score": (windows.z_score(X, WINDOW), lambda s: (s.x[-1] - s.x.mean()) / s.x.std(ddof=1)),
    "skewness": (windows.skewness(X, WINDOW), lambda s: stats.skew(s.x)),
    "correlation": (windows.correlation(X, Y, WINDOW), lambda s: np.corrcoef(s.x, s.y)[0, 1]),
    "regression_slope": (windows.regression_slope(Y, X, WINDOW), lambda s: _slope(s.x, s.y)),
    "trend_slope": (windows.trend_slope(X, WINDOW), lambda s: _slope(s.t, s.x)),
    "trend_r2": (windows.trend_r2(X, WINDOW), lambda s: np.corrcoef(s.t, s.x)[0, 1] ** 2),
}


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("missing", [(), (1, 5)], ids=["full", "two values missing"])
def test_the_statistic_is_the_textbook_s(name: str, missing: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    kept = np.array([i not in missing for i in range(WINDOW)])
    x, y, t = rng.normal(2, 1, WINDOW), rng.normal(-1, 3, WINDOW), np.arange(float(WINDOW))
    x_column = [float(value) if keep else None for value, keep in zip(x, kept, strict=True)]
    frame = pl.DataFrame({"x": [None] * WINDOW + x_column, "y": [None] * WINDOW + y.tolist()}, schema={"x": pl.Float64, "y": pl.Float64})
    expression, textbook = STATISTICS[name]
    assert frame.select(expression).to_series()[-1] == pytest.approx(textbook(Sample(x[kept], y[kept], t[kept])), rel=1e-10)


@pytest.mark.parametrize("name", STATISTICS)
def test_fewer_than_three_quarters_of_the_values_give_null(name: str) -> None:
    x = [None] * WINDOW + [1.0, None, None, 2.0, 4.0, None, 3.0, 5.0]
    frame = pl.DataFrame({"x": x, "y": [float(i * i) for i in range(2 * WINDOW)]})
    assert frame.select(STATISTICS[name][0]).to_series()[-1] is None


def test_the_least_number_of_samples_is_rounded_up() -> None:
    assert [windows.least_samples(window) for window in (1, 5, 14, 20, 26, 60)] == [1, 4, 11, 15, 20, 45]


@given(x=NUMBERS, y=NUMBERS, start=st.integers(1, 20))
@settings(max_examples=15, deadline=None)
def test_a_value_is_the_same_bit_for_bit_wherever_the_history_starts(x: list[float | None], y: list[float | None], start: int) -> None:
    frame = pl.DataFrame({"x": x, "y": y}, schema={"x": pl.Float64, "y": pl.Float64})
    statistics = [expression.alias(name) for name, (expression, _) in STATISTICS.items()]
    whole, part = frame.select(statistics), frame.slice(start).select(statistics)
    assert part.slice(WINDOW - 1).equals(whole.slice(start + WINDOW - 1))


@pytest.mark.parametrize("level", [0.1, 1e-9, 123456.789])
def test_a_flat_series_has_no_spread_at_all(level: float) -> None:
    frame = pl.DataFrame({"x": [level] * (2 * WINDOW)})
    result = frame.select(windows.deviation(X, WINDOW).alias("deviation"), (windows.trend_slope(X, WINDOW) / level).alias("slope")).row(
        -1, named=True
    )
    assert result["deviation"] == 0
    assert result["slope"] == pytest.approx(0, abs=1e-15)


def test_an_outlier_leaves_nothing_behind() -> None:
    frame = pl.DataFrame({"x": [1e300] + [0.1] * WINDOW})
    assert frame.select(windows.total(X, WINDOW)).to_series()[-1] == pytest.approx(0.1 * WINDOW)
