import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stock_pipeline.core.ratios import sample_deviation, sharpe_ratio, sortino_ratio
from stock_pipeline_tests.harness.laws import law

RETURNS = np.array([0.10, -0.05, 0.02, -0.01])


def test_ratios_by_hand() -> None:
    deviation = math.sqrt((0.085**2 + 0.065**2 + 0.005**2 + 0.025**2) / 3)
    assert sample_deviation(RETURNS) == pytest.approx(deviation)
    assert sharpe_ratio(RETURNS) == pytest.approx(0.015 / deviation * math.sqrt(252))
    assert sortino_ratio(RETURNS) == pytest.approx(0.015 / math.sqrt((0.05**2 + 0.01**2) / 4) * math.sqrt(252))


def test_gains_do_not_count_as_downside() -> None:
    assert sortino_ratio(np.array([0.01, 0.02])) is None
    assert sortino_ratio(np.array([0.03, -0.01])) == pytest.approx(0.01 / math.sqrt(0.0001 / 2) * math.sqrt(252))


@pytest.mark.parametrize("count", [0, 1])
def test_below_two_sessions_there_is_no_risk_to_measure(count: int) -> None:
    returns = np.full(count, -0.01)
    assert (sample_deviation(returns), sharpe_ratio(returns), sortino_ratio(returns)) == (None, None, None)


def test_two_sessions_are_enough() -> None:
    returns = np.array([0.02, -0.01])
    deviation = 0.03 / math.sqrt(2)
    assert sample_deviation(returns) == pytest.approx(deviation)
    assert sharpe_ratio(returns) == pytest.approx(0.005 / deviation * math.sqrt(252))


def test_what_only_rounding_tells_apart_has_no_risk() -> None:
    returns = np.full(30, 0.1) + np.array([0.0, 1e-16] * 15)
    assert (sample_deviation(returns), sharpe_ratio(returns)) == (0.0, None)


@law(40)
@given(st.lists(st.floats(-0.2, 0.2), min_size=3, max_size=30), st.floats(0.1, 3))
def test_leverage_changes_no_ratio(returns: list[float], leverage: float) -> None:
    plain, geared = np.array(returns), leverage * np.array(returns)
    if plain.std() > 1e-6:
        assert sharpe_ratio(geared) == pytest.approx(sharpe_ratio(plain))
    if np.minimum(plain, 0).std() > 1e-6:
        assert sortino_ratio(geared) == pytest.approx(sortino_ratio(plain))
