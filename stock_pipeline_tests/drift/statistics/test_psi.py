import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_pipeline.drift.severity import severity
from stock_pipeline.drift.statistics.kl import kullback_leibler_divergence
from stock_pipeline.drift.statistics.psi import PSI, population_stability_index


def test_by_hand() -> None:
    # The reference fills its ten bins with ten values each, the current sample only the upper five with twenty each.
    reference = np.arange(100.0)
    current = np.concatenate([np.repeat(np.arange(50.0, 100.0), 2)])
    empty, full = 0.5 / 105, 20.5 / 105
    expected = 5 * (empty - 0.1) * math.log(empty / 0.1) + 5 * (full - 0.1) * math.log(full / 0.1)
    assert population_stability_index(reference, current) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(250, 400), st.integers(250, 400))
def test_laws(seed: int, first: int, second: int) -> None:
    rng = np.random.default_rng(seed)
    reference, current = rng.normal(size=first), rng.normal(0.3, 1.2, second)
    value = population_stability_index(reference, current)
    assert population_stability_index(reference, reference) == 0
    assert value >= 0
    assert population_stability_index(reference, rng.permutation(current)) == pytest.approx(value)
    assert value >= kullback_leibler_divergence(reference, current)


def test_bias_without_drift_is_as_documented() -> None:
    rng = np.random.default_rng(0)
    found = [population_stability_index(rng.normal(size=2000), rng.normal(size=500)) for _ in range(200)]
    assert np.mean(found) == pytest.approx(9 * (1 / 2000 + 1 / 500), rel=0.15)


def test_a_shift_is_flagged_and_its_absence_is_not() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=5000)
    grades = [severity(PSI.compute(reference, rng.normal(shift, 1, 2000)), PSI.thresholds) for shift in (0.0, 0.35, 1.0)]
    assert grades == ["NONE", "LOW", "CRITICAL"]
