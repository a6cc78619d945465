from collections.abc import Sequence
from typing import Any

import pytest
import torch

from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.estimators.n_hits import NHiTS, interpolate, max_pool

ONE = Conditions(seed=7, threads=1)


def keep(x: torch.Tensor, shape: Sequence[int] | None = None) -> torch.Tensor:
    assert shape is None
    return x


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(1, -1, 1)


def test_pooling_takes_the_greatest_value_of_each_feature_in_each_stretch() -> None:
    x = torch.tensor([[[1.0, -9.0], [3.0, -8.0], [2.0, -1.0], [0.0, -5.0], [-4.0, 7.0], [-6.0, 6.0]]])
    assert max_pool(x, 2).tolist() == [[[3.0, -8.0], [2.0, -1.0], [-4.0, 7.0]]]
    assert max_pool(x, 3).tolist() == [[[3.0, -1.0], [0.0, 7.0]]]
    assert max_pool(x, 1) is x


@pytest.mark.parametrize(
    ("coefficients", "expected"),
    [
        ([4.0], [4.0, 4.0, 4.0, 4.0, 4.0]),
        ([1.0, 9.0], [1.0, 3.0, 5.0, 7.0, 9.0]),
        ([0.0, 4.0, 2.0], [0.0, 2.0, 4.0, 3.0, 2.0]),
        ([1.0, 7.0, 2.0, 8.0, 3.0], [1.0, 7.0, 2.0, 8.0, 3.0]),
    ],
)
def test_a_backcast_runs_in_straight_lines_between_its_coefficients(coefficients: list[float], expected: list[float]) -> None:
    assert interpolate(column(*coefficients), 5).flatten().tolist() == pytest.approx(expected)


def test_the_blocks_see_mixtures_of_the_features() -> None:
    model, weights = by_hand()
    mixed = {**weights, "series.weight": torch.tensor([[2.0], [-1.0]])}
    one = column(1.0, 2.0, 3.0, 4.0)
    both = torch.cat([one, one + 3.0], dim=2)
    assert torch.equal(model._forward(mixed, both, keep), model._forward(weights, one - 3.0, keep))


def test_series_are_interpolated_each_by_itself() -> None:
    theta = torch.tensor([[[0.0, 6.0], [2.0, 0.0]]])
    assert interpolate(theta, 3).tolist() == [[[0.0, 6.0], [1.0, 3.0], [2.0, 0.0]]]


def by_hand(**parameters: Any) -> tuple[NHiTS, dict[str, torch.Tensor]]:
    """Two blocks on one feature and four sessions: the first sees the two maxima, the second what is left of each session."""
    model = NHiTS(ONE, window=4, series=1, pooling=(2, 1), ratios=(0.5, 1.0), hidden=1, **parameters)
    weights = {name: torch.zeros_like(weight) for name, weight in model._initial(1, torch.Generator()).items()}
    weights["series.weight"][:] = 1.0
    weights["block.0.hidden.weight"][:] = torch.tensor([[1.0], [1.0]])
    weights["block.0.forecast.weight"][:] = 10.0
    weights["block.0.backcast.weight"][:] = torch.tensor([[1.0, 0.0]])
    weights["block.1.hidden.weight"][:] = torch.tensor([[1.0], [10.0], [100.0], [1000.0]])
    weights["block.1.hidden.bias"][:] = 10_000.0
    weights["block.1.forecast.weight"][:] = 1.0
    return model, weights


def test_a_block_sees_what_those_before_left_and_the_forecasts_add_up() -> None:
    model, weights = by_hand()
    # The maxima are 2 and 4: state 6, forecast 60, backcast from 6 to 0: 6, 4, 2, 0. Left: -5, -2, 1, 4.
    left = -5 + 10 * -2 + 100 * 1 + 1000 * 4
    score = model._forward(weights, column(1.0, 2.0, 3.0, 4.0), keep)
    assert score.tolist() == [[pytest.approx(60 + 10_000 + left)]]


def test_coefficients_follow_from_the_ratios_and_the_last_block_has_none() -> None:
    model = NHiTS(ONE, window=10, series=7, pooling=(5, 2), ratios=(0.15, 0.5), blocks=2)
    assert list(model._blocks()) == [("block.0", 5, 2), ("block.1", 5, 2), ("block.2", 2, 5), ("block.3", 2, 0)]
    shapes = {name: tuple(weight.shape) for name, weight in model._initial(3, torch.Generator()).items()}
    assert shapes["series.weight"] == (3, 7)
    assert shapes["block.0.hidden.weight"] == (2 * 7, 32)
    assert shapes["block.2.backcast.weight"] == (32, 5 * 7)
    assert "block.3.backcast.weight" not in shapes


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pooling": (3, 1), "ratios": (0.5, 1)}, "pooling 3 does not divide the window of 10 sessions"),
        ({"pooling": (2, 0), "ratios": (0.5, 1)}, "pooling 0 does not divide the window"),
        ({"pooling": (), "ratios": ()}, r"ratios are \[\]; give one"),
        ({"pooling": (2, 1), "ratios": (0.5,)}, r"ratios are \[0.5\]; give one .* for each pooling of \[2, 1\]"),
        ({"pooling": (2, 1), "ratios": (0.0, 1)}, r"ratios are \[0.0, 1\]; give one above 0"),
        ({"blocks": 0}, "blocks is 0; give at least 1"),
        ({"series": 0}, "series is 0; give at least 1"),
        ({"window": 0}, "window is 0; give at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NHiTS(ONE, **parameters)
