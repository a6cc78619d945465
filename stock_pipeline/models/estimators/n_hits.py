"""N-HiTS: blocks that look at the window at several rates, each taking up what the ones before have not explained.

After Challu et al. 2023, "N-HiTS: Neural Hierarchical Interpolation for Time Series Forecasting" (AAAI). There a series forecasts
itself over a horizon; here the series are mixtures of the features, and the forecast is one score of the outcome. So a block's
backcast, interpolated from few coefficients for each series, is taken off the window as there; its forecast needs no interpolation
and is added to the score. Without the mixtures a block had weights for every feature of every session, and learned noise by heart.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.models.estimators.torch_model import TorchModel
from stock_pipeline.models.estimators.torch_training import RELU_GAIN, drawn, library

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from stock_pipeline.models.estimators.torch_training import Drop, Weights


@dataclass(eq=False, kw_only=True)
class NHiTS(TorchModel):
    """Stacks of blocks, from the coarsest pooling to the finest; a block's perceptron has one hidden layer.

    Args:
        conditions: see ``TorchModel``.
        window: sessions seen, a multiple of every pooling.
        series: linear mixtures of the features that the blocks see.
        pooling: of each stack, the sessions of which its blocks see only the maximum of each feature.
        ratios: of each stack, its expressiveness: the coefficients of a backcast for each session of the window, above 0 and at most 1.
            The paper advises to let it fall as the pooling grows, so that a coarse view explains slow movements alone.
        blocks: blocks of a stack.
        hidden: units of a block's hidden layer.
        most_samples, most_epochs, batch, learning_rate, weight_decay, dropout: see ``Training``.

    Raises:
        ValueError: a pooling does not divide the window, or there is not one ratio from 0 to 1 for each.
    """

    window: int = 10
    series: int = 16
    pooling: Sequence[int] = (5, 2, 1)
    ratios: Sequence[float] = (0.2, 0.5, 1.0)
    blocks: int = 1
    hidden: int = 32
    most_samples: int = 1_000_000
    most_epochs: int = 4
    batch: int = 2048
    learning_rate: float = 0.003
    weight_decay: float = 3.0
    dropout: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        # As JSON gives them back.
        self.pooling, self.ratios = list(self.pooling), list(self.ratios)
        if unfit := [pool for pool in self.pooling if pool < 1 or self.window % pool]:
            raise ValueError(f"pooling {unfit[0]} does not divide the window of {self.window} sessions; give divisors of it")
        if len(self.ratios) != len(self.pooling) or not self.pooling or not all(0 < ratio <= 1 for ratio in self.ratios):
            raise ValueError(f"ratios are {self.ratios}; give one above 0 and at most 1 for each pooling of {self.pooling}")
        for what, number in (("blocks", self.blocks), ("series", self.series)):
            if number < 1:
                raise ValueError(f"{what} is {number}; give at least 1")

    def _initial(self, features: int, generator: "torch.Generator") -> "Weights":
        torch = library()
        weights: Weights = {"series.weight": drawn(generator, features, self.series, inputs=features)}
        for name, pool, coefficients in self._blocks():
            inputs = self.window // pool * self.series
            weights[f"{name}.hidden.weight"] = drawn(generator, inputs, self.hidden, inputs=inputs, gain=RELU_GAIN)
            weights[f"{name}.hidden.bias"] = torch.zeros(self.hidden)
            if coefficients:
                weights[f"{name}.backcast.weight"] = torch.zeros(self.hidden, coefficients * self.series)
                weights[f"{name}.backcast.bias"] = torch.zeros(coefficients * self.series)
            weights[f"{name}.forecast.weight"] = torch.zeros(self.hidden, 1)
            weights[f"{name}.forecast.bias"] = torch.zeros(1)
        return weights

    def _forward(self, weights: "Weights", x: "Tensor", drop: "Drop") -> "Tensor":
        x = x @ weights["series.weight"]
        scores = []
        for name, pool, coefficients in self._blocks():
            seen = max_pool(x, pool).flatten(1)
            state = drop(weights[f"{name}.hidden.bias"].addmm(seen, weights[f"{name}.hidden.weight"]).relu())
            scores.append(weights[f"{name}.forecast.bias"].addmm(state, weights[f"{name}.forecast.weight"]))
            if coefficients:
                theta = weights[f"{name}.backcast.bias"].addmm(state, weights[f"{name}.backcast.weight"])
                x = x - interpolate(theta.view(len(x), coefficients, -1), self.window)
        return sum(scores[1:], start=scores[0]).T

    def _blocks(self) -> Iterator[tuple[str, int, int]]:
        """Name, pooling and backcast coefficients of each block; none for the last, after which nothing looks at the window."""
        last = len(self.pooling) * self.blocks - 1
        for number in range(last + 1):
            stack = number // self.blocks
            coefficients = math.ceil(self.ratios[stack] * self.window) if number < last else 0
            yield f"block.{number}", self.pooling[stack], coefficients


def max_pool(x: "Tensor", pool: int) -> "Tensor":
    """The greatest value of each feature in every ``pool`` sessions: (rows, window, features) to (rows, window / pool, features)."""
    return x if pool == 1 else x.view(len(x), -1, pool, x.shape[2]).amax(2)


def interpolate(coefficients: "Tensor", sessions: int) -> "Tensor":
    """Straight lines between coefficients spread evenly from the first to the last session; one holds for all the sessions.

    Of shape (rows, coefficients, features) they become (rows, sessions, features).
    """
    if coefficients.shape[1] == sessions:
        return coefficients
    hats: Tensor = library().from_numpy(_hats(coefficients.shape[1], sessions)).to(coefficients.device)
    return hats @ coefficients


@lru_cache
def _hats(coefficients: int, sessions: int) -> NDArray[np.float32]:
    """How much of each coefficient each session takes; shape (sessions, coefficients), every row sums to 1."""
    if coefficients == 1:
        return np.ones((sessions, 1), dtype=np.float32)
    place = np.linspace(0, coefficients - 1, sessions)[:, None]
    hats: NDArray[np.float32] = np.maximum(1 - np.abs(place - np.arange(coefficients)), 0).astype(np.float32)
    return hats
