from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stock_pipeline.features import windows
from stock_pipeline_tests.harness.laws import law

X, Y = pl.col("x"), pl.col("y")
WINDOW = 8
NUMBERS = st.lists(st.one_of(st.none(), st.floats(-100, 100).map(lambda x: round(x, 3))), min_size=30, max_size=30)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.polyfit(x, y, 1)[0])


def _recursive(s: "Sample", period: int, step: float) -> float:
    """The recursion is linear: it is run over the values with 0 for the missing ones, and over how much of a value there is."""
    values, presence = np.zeros(WINDOW), np.zeros(WINDOW)
    values[s.t.astype(int)], presence[s.t.astype(int)] = s.x, 1.0
    ends = []
    for series in (values, presence):
        average = series[:period].mean()
        for value in series[period:]:
            average += step * (value - average)
        ends.append(float(average))
    return ends[0] / ends[1]


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
    "trend_slope": (windows.trend(X, WINDOW).struct.field("slope"), lambda s: _slope(s.t, s.x)),
    "trend_r2": (windows.trend(X, WINDOW).struct.field("r2"), lambda s: np.corrcoef(s.t, s.x)[0, 1] ** 2),
    "trend_residual": (windows.trend(X, WINDOW).struct.field("residual"), lambda s: s.x[-1] - np.polyval(np.polyfit(s.t, s.x, 1), s.t[-1])),
    "quantile": (windows.quantile(X, 0.3, WINDOW), lambda s: np.quantile(s.x, 0.3)),
    "percentile_rank": (windows.percentile_rank(X, WINDOW), lambda s: stats.rankdata(s.x)[-1] / len(s.x)),
    "variability": (windows.variability(X, WINDOW), lambda s: s.x.std(ddof=1) / s.x.mean()),
    "position_of_highest": (windows.position_of_highest(X, WINDOW), lambda s: s.t[s.x.argmax()] + 1),
    "position_of_lowest": (windows.position_of_lowest(X, WINDOW), lambda s: s.t[s.x.argmin()] + 1),
    "wilder_mean": (windows.wilder_mean(X, 3, WINDOW), lambda s: _recursive(s, 3, 1 / 3)),
    "exponential_mean": (windows.exponential_mean(X, 3, WINDOW), lambda s: _recursive(s, 3, 2 / 4)),
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
    result = frame.select(
        windows.deviation(X, WINDOW).alias("deviation"), (windows.trend(X, WINDOW).struct.field("slope") / level).alias("slope")
    ).row(-1, named=True)
    assert result["deviation"] == 0
    assert result["slope"] == pytest.approx(0, abs=1e-15)


def test_an_outlier_leaves_nothing_behind() -> None:
    frame = pl.DataFrame({"x": [1e300] + [0.1] * WINDOW})
    assert frame.select(windows.total(X, WINDOW)).to_series()[-1] == pytest.approx(0.1 * WINDOW)


@pytest.mark.parametrize("window", [2, 5, 8, 10, 60])
@given(x=st.lists(st.one_of(st.none(), st.integers(1, 6)), min_size=70, max_size=70))
@law(examples=8)
def test_places_among_equal_values(window: int, x: list[int | None]) -> None:
    values = pl.Series("x", [None] * window + x, dtype=pl.Float64)
    shown = pl.DataFrame(values).select(
        windows.position_of_highest(X, window).alias("highest"),
        windows.position_of_lowest(X, window).alias("lowest"),
        windows.percentile_rank(X, window).alias("rank"),
        windows.quantile(X, 0.8, window).alias("quantile"),
    )
    for end in range(2 * window, len(values)):
        part = values[end - window + 1 : end + 1]
        there = part.drop_nulls().to_numpy()
        full = len(there) >= windows.least_samples(window)
        assert shown["highest"][end] == (part.to_list().index(there.max()) + 1 if full else None)
        assert shown["lowest"][end] == (part.to_list().index(there.min()) + 1 if full else None)
        assert shown["quantile"][end] == (pytest.approx(np.quantile(there, 0.8)) if full else None)
        ranked = full and part[-1] is not None
        assert shown["rank"][end] == (pytest.approx(stats.rankdata(there)[-1] / len(there)) if ranked else None)


def test_a_quantile_does_not_depend_on_gaps_elsewhere() -> None:
    rng = np.random.default_rng(3)
    whole = pl.Series("x", rng.normal(size=200))
    gappy = pl.Series("x", [None if 50 <= i < 52 or i >= 198 else value for i, value in enumerate(whole)], dtype=pl.Float64)
    one, other = (pl.DataFrame(series).select(windows.quantile(X, 0.2, WINDOW)).to_series() for series in (whole, gappy))
    touched = set(range(50, 52 + WINDOW - 1)) | {198, 199}
    assert other.null_count() == one.null_count() == WINDOW - 1
    assert [i for i in range(WINDOW - 1, 200) if i not in touched and one[i] != other[i]] == []


def test_recursive_means_by_hand() -> None:
    frame = pl.DataFrame({"x": [99.0, 1.0, 2.0, 3.0, 4.0]})
    assert frame.select(windows.wilder_mean(X, 2, 4)).to_series()[-1] == pytest.approx(((1.5 + 3) / 2 + 4) / 2)
    assert frame.select(windows.exponential_mean(X, 2, 4)).to_series()[-1] == pytest.approx(2.5 + 2 / 3 * 1.5)
    assert frame.select(windows.wilder_mean(X, 4, 4)).to_series()[-1] == pytest.approx(2.5)


def test_a_recursive_mean_needs_a_window_that_holds_its_period() -> None:
    with pytest.raises(ValueError, match="of 5 sessions needs a window of at least as many; it was given 4"):
        windows.wilder_mean(X, 5, 4)


def test_what_has_no_range_or_no_spread() -> None:
    flat = pl.DataFrame({"x": [0.1] * (2 * WINDOW), "y": [float(i) for i in range(2 * WINDOW)]})
    assert flat.select(windows.correlation(X, Y, WINDOW)).to_series()[-1] is None
    assert flat.select(windows.correlation(Y, X, WINDOW)).to_series()[-1] is None
    assert flat.select(windows.trend(X, WINDOW).struct.field("r2")).to_series()[-1] is None


@pytest.mark.parametrize("step", [1.0, 1e-2, 1e-3])
def test_a_line_is_never_explained_by_more_than_all(step: float) -> None:
    frame = pl.DataFrame({"x": [1e3 + step * i for i in range(200)], "y": [-float(i) for i in range(200)]})
    shown = frame.select(
        windows.trend(X, WINDOW).struct.field("r2").alias("r2"), windows.correlation(X, Y, WINDOW).alias("correlation")
    ).drop_nulls()
    assert shown.height == 200 - WINDOW + 1
    assert shown["r2"].is_between(0.999, 1).all()
    assert shown["correlation"].is_between(-1, -0.999).all()


def test_a_mean_may_be_told_how_many_values_it_takes() -> None:
    frame = pl.DataFrame({"x": [1.0, None, None, 4.0, None, None]})
    assert frame.select(windows.mean(X, 4, least=2)).to_series().to_list() == [None, None, None, 2.5, None, None]
    assert frame.select(windows.mean(X, 4)).to_series().to_list() == [None] * 6
