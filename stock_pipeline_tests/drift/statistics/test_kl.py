import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from stock_pipeline.drift.severity import severity
from stock_pipeline.drift.statistics.kl import KL, kullback_leibler_divergence
from stock_pipeline.drift.statistics.psi import population_stability_index
from stock_pipeline.drift.statistics.statistic import bin_shares


def test_by_hand() -> None:
    reference, current = np.arange(100.0), np.arange(90.0, 100.0)
    empty, full = 0.5 / 15, 10.5 / 15
    expected = 9 * empty * math.log(empty / 0.1) + full * math.log(full / 0.1)
    assert kullback_leibler_divergence(reference, current) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-1, 1), st.floats(0.5, 2))
def test_laws(seed: int, shift: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    reference, current = rng.normal(size=400), rng.normal(shift, scale, 300)
    value = kullback_leibler_divergence(reference, current)
    expected, actual = bin_shares(reference, current)
    assert value >= 0
    assert kullback_leibler_divergence(reference, reference) == 0
    assert value == pytest.approx(entropy(actual, expected))
    assert population_stability_index(reference, current) == pytest.approx(value + entropy(expected, actual))


def test_a_shift_is_flagged_and_its_absence_is_not() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=5000)
    grades = [severity(KL.compute(reference, rng.normal(shift, 1, 2000)), KL.thresholds) for shift in (0.0, 0.35, 1.0)]
    assert grades == ["NONE", "LOW", "CRITICAL"]
