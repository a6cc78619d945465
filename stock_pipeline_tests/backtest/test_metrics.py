import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kurtosis, norm, skew

from stock_pipeline.backtest.metrics import annual_return, maximum_drawdown, probabilistic_sharpe_ratio, summarise
from stock_pipeline.core.ratios import sharpe_ratio

RISKY = {
    "annual_return",
    "annual_volatility",
    "sharpe",
    "probabilistic_sharpe",
    "sortino",
    "calmar",
    "excess_annual_return",
    "information_ratio",
}


def daily(returns: list[float], benchmark: list[float] | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        {"net_return": returns, "benchmark_return": benchmark or [0.0] * len(returns), "turnover": [0.5] * len(returns)},
        schema={"net_return": pl.Float64, "benchmark_return": pl.Float64, "turnover": pl.Float64},
    )


def test_figures_by_hand() -> None:
    found = dict(summarise(daily([0.10, -0.05, 0.02, -0.01], [0.01, 0.02, -0.01, 0.00])))
    mean, deviation = 0.015, math.sqrt((0.085**2 + 0.065**2 + 0.005**2 + 0.025**2) / 3)
    total = 1.10 * 0.95 * 1.02 * 0.99 - 1
    assert found == {
        "sessions": 4.0,
        "total_return": pytest.approx(total),
        "annual_return": pytest.approx((1 + total) ** 63 - 1),
        "annual_volatility": pytest.approx(deviation * math.sqrt(252)),
        "sharpe": pytest.approx(mean / deviation * math.sqrt(252)),
        "probabilistic_sharpe": pytest.approx(0.66703, abs=1e-5),
        "sortino": pytest.approx(mean / math.sqrt((0.05**2 + 0.01**2) / 4) * math.sqrt(252)),
        "maximum_drawdown": pytest.approx(-0.05),
        "calmar": pytest.approx(((1 + total) ** 63 - 1) / 0.05),
        "mean_turnover": 0.5,
        "positive_return_share": 0.5,
        "benchmark_total_return": pytest.approx(1.01 * 1.02 * 0.99 - 1),
        "excess_annual_return": pytest.approx((1 + total) ** 63 - (1.01 * 1.02 * 0.99) ** 63),
        "information_ratio": pytest.approx(sharpe_ratio(np.array([0.09, -0.07, 0.03, -0.01]))),
    }


@pytest.mark.parametrize("count", [0, 1])
def test_below_two_sessions_no_figure_of_risk(count: int) -> None:
    found = dict(summarise(daily([0.01] * count)))
    assert {name for name, value in found.items() if value is None} >= RISKY
    assert (found["total_return"] is None) == (count == 0)


def test_without_volatility_no_ratio() -> None:
    found = dict(summarise(daily([0.001] * 30)))
    assert {name for name, value in found.items() if value is None} == {
        "sharpe",
        "probabilistic_sharpe",
        "sortino",
        "calmar",
        "information_ratio",
    }
    assert found["annual_volatility"] == 0.0


def test_figures_too_large_for_a_number_are_none() -> None:
    assert annual_return(np.array([1e4, 1e4])) is None
    assert annual_return(np.array([0.5, -1.0])) == -1.0


def test_probabilistic_sharpe_ratio_by_the_paper() -> None:
    returns = np.random.default_rng(0).standard_t(4, 500) * 0.01 + 0.0005
    ratio = returns.mean() / returns.std(ddof=1)
    spread = 1 - skew(returns) * ratio + (kurtosis(returns, fisher=False) - 1) / 4 * ratio**2
    for threshold in (0.0, 1.0):
        expected = norm.cdf((ratio - threshold / math.sqrt(252)) * math.sqrt(499) / math.sqrt(spread))
        assert probabilistic_sharpe_ratio(returns, threshold) == pytest.approx(expected)


def test_a_loss_on_the_first_session_is_a_drawdown() -> None:
    assert maximum_drawdown(np.array([-0.1, 0.05])) == pytest.approx(-0.1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 5), max_size=30))
def test_no_figure_is_ever_nan_or_infinite(returns: list[float]) -> None:
    for name, value in summarise(daily(returns, returns[::-1])):
        assert value is None or math.isfinite(value), name


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-0.2, 0.2), max_size=30))
def test_a_probabilistic_sharpe_ratio_is_a_probability(returns: list[float]) -> None:
    found = probabilistic_sharpe_ratio(np.array(returns))
    assert found is None or 0 <= found <= 1
