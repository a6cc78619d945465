import numpy as np
import pytest

from stock_pipeline.drift.statistics.statistic import bin_shares


def test_the_reference_fills_its_bins_evenly() -> None:
    expected, actual = bin_shares(np.arange(1000.0), np.array([-5.0, 2000.0]))
    assert expected == pytest.approx([0.1] * 10)
    assert actual == pytest.approx([1.5 / 7, *[0.5 / 7] * 8, 1.5 / 7])


def test_ties_make_fewer_bins_and_no_empty_logarithm() -> None:
    expected, actual = bin_shares(np.array([0.0] * 70 + [1.0] * 30), np.array([1.0] * 10))
    assert expected.size == actual.size == 3
    assert (expected > 0).all() and (actual > 0).all()
    assert expected.sum() == pytest.approx(1) and actual.sum() == pytest.approx(1)
