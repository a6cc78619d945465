"""Platt scaling of deviations from the session's mean."""

from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray

from stock_pipeline.models.platt import platt


def test_platt_finds_the_line_that_made_the_outcomes() -> None:
    rng = np.random.default_rng(0)
    sums = 0.02 * rng.normal(size=200_000) + 3
    rose = (rng.random(len(sums)) < 1 / (1 + np.exp(-(40 * (sums - 3) - 0.4)))).astype(np.float64)
    line = platt(sums, rose, np.repeat(np.arange(200), 1000))
    assert line.slope.value == pytest.approx(40, rel=0.03) and line.intercept == pytest.approx(-0.4, abs=0.02)
    assert line.slope.shrunk == pytest.approx(line.slope.value, rel=0.01)


def test_platt_is_at_the_foot_of_its_loss_and_smooths_its_targets() -> None:
    # Told apart without an error: only the smoothed targets keep the line from growing without bound.
    sums, rose = np.array([-2.0, -1.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    line = platt(sums, rose, np.zeros(5, dtype=np.int64))
    wanted = np.where(rose == 1, 4 / 5, 1 / 4)
    miss = 1 / (1 + np.exp(-(line.slope.value * (sums - sums.mean()) + line.intercept))) - wanted
    assert abs(miss.sum()) < 1e-6 and abs((miss * sums).sum()) < 1e-6
    assert line.slope.error == inf and line.slope.shrunk == 0  # one session proves nothing


def test_a_market_that_moves_with_the_sums_of_a_session_is_no_order_of_its_stocks() -> None:
    rng = np.random.default_rng(4)
    order, market = rng.normal(size=(120, 50)), rng.normal(size=(120, 1))
    happened = (rng.random(order.shape) < 1 / (1 + np.exp(-(0.3 * order + market)))).astype(np.float64)
    said = order - market  # all sums of a session are high where most of its stocks will fall
    pooled = np.cov(said.ravel(), happened.ravel())[0, 1]
    assert pooled < 0 < platt(said.ravel(), happened.ravel(), np.repeat(np.arange(120), 50)).slope.value


def test_the_error_of_the_slope_is_what_it_varies_by_from_one_world_to_another() -> None:
    # The stocks of a session that are liked move together: rows are no independent trials.
    lines = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        said = rng.normal(size=(60, 30))
        odds = rng.normal(size=(60, 1)) * said
        happened = (rng.random(said.shape) < 1 / (1 + np.exp(-odds))).astype(np.float64)
        lines.append(platt(said.ravel(), happened.ravel(), np.repeat(np.arange(60), 30)).slope)
    values, errors = np.array([line.value for line in lines]), np.array([line.error for line in lines])
    assert values.std() == pytest.approx(errors.mean(), rel=0.2)
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(120)


@pytest.mark.parametrize("sums", [np.array([3.0, 2.0, 1.0, 0.0]), np.ones(4)])
def test_sums_that_point_the_wrong_way_or_nowhere_are_worth_nothing(sums: NDArray[np.float64]) -> None:
    line = platt(sums, np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1]))
    assert line.slope.shrunk == 0 and line.intercept == pytest.approx(0.0, abs=1e-9)
