"""MLP: small multilayer perceptrons on a sample's own features, several trained side by side and averaged."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from stock_pipeline.models.estimators.torch_model import TorchModel
from stock_pipeline.models.estimators.torch_training import RELU_GAIN, drawn, library

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from stock_pipeline.models.estimators.torch_training import Drop, Weights


@dataclass(eq=False, kw_only=True)
class MLP(TorchModel):
    """Perceptrons with two hidden layers of ReLUs and dropout (Srivastava et al. 2014).

    The members start from different weights and drop different units, and each learns the target by itself; their mean is the
    score (Hansen and Salamon 1990). They are computed in one batched product, which costs little more than one of them.

    Args:
        conditions: see ``TorchModel``.
        members: perceptrons averaged.
        hidden: units of the first hidden layer; the second has half of them.
        most_samples, most_epochs, batch, learning_rate, weight_decay, dropout: see ``Training``.
    """

    window: ClassVar[int] = 1
    members: int = 3
    hidden: int = 64
    most_samples: int = 1_500_000
    most_epochs: int = 10
    batch: int = 2048
    learning_rate: float = 0.003
    weight_decay: float = 3.0
    dropout: float = 0.3

    def _initial(self, features: int, generator: "torch.Generator") -> "Weights":
        torch = library()
        sizes = (features, self.hidden, self.hidden // 2)
        weights: Weights = {}
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            weights[f"layer.{layer}.weight"] = drawn(generator, self.members, inputs, outputs, inputs=inputs, gain=RELU_GAIN)
            weights[f"layer.{layer}.bias"] = torch.zeros(self.members, 1, outputs)
        weights["score.weight"] = torch.zeros(self.members, sizes[-1], 1)
        weights["score.bias"] = torch.zeros(self.members, 1, 1)
        return weights

    def _forward(self, weights: "Weights", x: "Tensor", drop: "Drop") -> "Tensor":
        state = x.squeeze(1).expand(self.members, -1, -1)
        for layer in range(2):
            state = drop(weights[f"layer.{layer}.bias"].baddbmm(state, weights[f"layer.{layer}.weight"]).relu())
        return weights["score.bias"].baddbmm(state, weights["score.weight"]).squeeze(2)
