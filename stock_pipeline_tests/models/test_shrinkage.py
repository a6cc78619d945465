"""Slopes by session: their errors against known ones, and what shrinkage leaves."""

from math import inf

import numpy as np
import pytest

from stock_pipeline.models.shrinkage import Slope, error_of_sum, slope_through_origin


@pytest.mark.parametrize(("value", "error", "kept"), [(2.0, 1.0, 0.8), (1.0, 1.0, 0.5), (1.0, 2.0, 0.2), (3.0, 0.0, 1.0), (1.0, inf, 0.0)])
def test_a_slope_keeps_the_less_the_larger_its_error_but_never_all_nor_nothing(value: float, error: float, kept: float) -> None:
    assert Slope(value, error).shrunk == pytest.approx(kept * value)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_slope_that_does_not_rise_is_worth_nothing(value: float) -> None:
    assert Slope(value, 0.1).shrunk == 0


def test_the_slope_and_its_error_by_session_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 30, 8))
    found = slope_through_origin((x * y).sum(axis=1), (x * x).sum(axis=1))
    slope = sum(float(a @ b) for a, b in zip(x, y, strict=True)) / sum(float(a @ a) for a in x)
    squares = sum(float(a @ (b - slope * a)) ** 2 for a, b in zip(x, y, strict=True))
    assert found.value == pytest.approx(slope)
    assert found.error == pytest.approx(np.sqrt(squares * 30 / 29) / (x * x).sum())


def test_the_error_is_by_session_however_many_stocks_move_together() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 1, 20))
    # A bet on the same factor by all stocks of a session: 20 rows of one session tell what one would.
    y = 0.2 * x + rng.normal(size=(400, 300, 1)) * x
    slopes = [slope_through_origin((a * b).sum(axis=1), (a * a).sum(axis=1)) for a, b in ((x[:, 0], y[:, j]) for j in range(300))]
    values, errors = np.array([s.value for s in slopes]), np.array([s.error for s in slopes])
    assert values.std() == pytest.approx(errors.mean(), rel=0.1)
    as_rows = 1 / np.sqrt((x * x).sum())
    assert errors.mean() > 4 * as_rows


def test_outcomes_that_overlap_have_a_larger_error() -> None:
    rng = np.random.default_rng(3)
    steps = rng.normal(size=(400, 504))
    sums = np.lib.stride_tricks.sliding_window_view(steps, 5, axis=1)[:, :500].sum(axis=2)
    true = sums.sum(axis=1).std()
    assert np.mean([error_of_sum(row, lags=8) for row in sums]) == pytest.approx(true, rel=0.12)
    assert np.mean([error_of_sum(row) for row in sums]) < 0.55 * true


def test_nothing_to_go_by_has_no_certainty() -> None:
    assert slope_through_origin(np.zeros(3), np.zeros(3)) == Slope(0.0, inf)
    assert slope_through_origin(np.ones(1), np.ones(1)).error == inf
    assert slope_through_origin(np.ones(1), np.ones(1)).shrunk == 0
    assert error_of_sum(np.array([1.0, -1.0, 2.0, 0.0]), lags=50) > 0
