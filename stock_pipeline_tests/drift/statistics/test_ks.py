import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from stock_pipeline.drift.severity import severity
from stock_pipeline.drift.statistics.ks import KS, kolmogorov_smirnov, kolmogorov_smirnov_p_value


def test_by_hand() -> None:
    assert kolmogorov_smirnov(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])) == 0.5
    assert kolmogorov_smirnov(np.array([1.0, 2.0]), np.array([3.0])) == 1.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=3, max_size=60), st.lists(st.integers(-9, 9), min_size=3, max_size=60))
def test_equals_scipy_and_does_not_change_under_monotone_maps(first: list[int], second: list[int]) -> None:
    reference, current = np.array(first, float), np.array(second, float)
    value = kolmogorov_smirnov(reference, current)
    assert value == pytest.approx(ks_2samp(reference, current, method="asymp").statistic)
    assert value == kolmogorov_smirnov(current, reference)
    assert value == kolmogorov_smirnov(np.exp(reference), np.exp(current))
    assert value == kolmogorov_smirnov(reference**3 - 5, current**3 - 5)
    assert kolmogorov_smirnov(reference, reference) == 0


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.2])
def test_p_value_near_scipys(shift: float) -> None:
    rng = np.random.default_rng(1)
    reference, current = rng.normal(size=2000), rng.normal(shift, 1, 1500)
    found = kolmogorov_smirnov_p_value(kolmogorov_smirnov(reference, current), 2000, 1500)
    assert found == pytest.approx(ks_2samp(reference, current, method="asymp").pvalue, rel=0.15, abs=1e-6)
    assert 0 <= found <= 1


def test_a_shift_is_flagged_and_its_absence_is_not() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=5000)
    grades = [severity(KS.compute(reference, rng.normal(shift, 1, 2000)), KS.thresholds) for shift in (0.0, 0.3, 1.0)]
    assert grades == ["NONE", "MEDIUM", "CRITICAL"]
