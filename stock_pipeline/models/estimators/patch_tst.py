"""PatchTST: a small Transformer over patches of each feature's window.

After Nie et al. 2023, "A Time Series is Worth 64 Words: Long-term Forecasting with Transformers" (ICLR). As there, every series is
a channel of its own that goes through the same embedding, encoder and flat linear head. There the head forecasts the channel itself;
here it makes a few numbers of each channel, and the score is a linear mix of those of all channels: a head of its own for every
channel would have sixteen times the weights, and follow the noise. The series are mixtures of the features, as those of many features
would cost time and tell much the same. Not taken over: the normalisation of each window, as the level of a rank
is what it tells, and batch normalisation, in whose place layers are normalised sample by sample, before each of their parts.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stock_pipeline.models.estimators.torch_model import TorchModel
from stock_pipeline.models.estimators.torch_training import drawn, library

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from stock_pipeline.models.estimators.torch_training import Drop, Weights


@dataclass(eq=False, kw_only=True)
class PatchTST(TorchModel):
    """Patches side by side, a linear embedding with learned positions, an encoder (Vaswani et al. 2017), and a flat linear head.

    Args:
        conditions: see ``TorchModel``.
        window: sessions seen.
        series: linear mixtures of the features, each a channel.
        patch: sessions of a patch, a divisor of the window, so that the patches cover it.
        width: numbers that represent a patch.
        heads: attention heads, a divisor of the width.
        layers: layers of the encoder; the hidden layer of each has twice the width.
        forecasts: numbers that the head, shared by the channels, makes of each; the score is a linear mix of all of them.
        most_samples, most_epochs, batch, learning_rate, weight_decay, dropout: see ``Training``; whole channels of a sample are dropped.

    Raises:
        ValueError: the patch does not divide the window, or the heads do not divide the width.
    """

    window: int = 10
    series: int = 16
    patch: int = 5
    width: int = 16
    heads: int = 2
    layers: int = 1
    forecasts: int = 4
    most_samples: int = 600_000
    most_epochs: int = 4
    batch: int = 2048
    learning_rate: float = 0.003
    weight_decay: float = 1.0
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patch < 1 or self.window % self.patch:
            raise ValueError(f"patch {self.patch} does not divide the window of {self.window} sessions; give a divisor of it")
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the width of {self.width}; give a divisor of it")
        if self.series < 1:
            raise ValueError(f"series is {self.series}; give at least 1")

    def _initial(self, features: int, generator: "torch.Generator") -> "Weights":
        torch = library()
        patches, width = self.window // self.patch, self.width
        weights: Weights = {
            "series.weight": drawn(generator, features, self.series, inputs=features),
            "patch.weight": drawn(generator, self.patch, width, inputs=self.patch),
            "position.bias": drawn(generator, patches, width, inputs=1, gain=0.02),
        }
        sizes = {"attention": (width, 3 * width), "mixed": (width, width), "hidden": (width, 2 * width), "output": (2 * width, width)}
        for layer in range(self.layers):
            for name, (inputs, outputs) in sizes.items():
                weights[f"layer.{layer}.{name}.weight"] = drawn(generator, inputs, outputs, inputs=inputs)
                weights[f"layer.{layer}.{name}.bias"] = torch.zeros(outputs)
        for norm in [f"layer.{layer}.{name}" for layer in range(self.layers) for name in ("before", "between")] + ["last"]:
            weights[f"{norm}.gain"] = torch.ones(width)
            weights[f"{norm}.bias"] = torch.zeros(width)
        weights["flat.weight"] = drawn(generator, patches * width, self.forecasts, inputs=patches * width)
        weights["score.weight"] = torch.zeros(self.series * self.forecasts, 1)
        weights["score.bias"] = torch.zeros(1)
        return weights

    def _forward(self, weights: "Weights", x: "Tensor", drop: "Drop") -> "Tensor":
        rows = len(x)
        state = self._represented(weights, x @ weights["series.weight"])
        patches = len(state)
        # The flat head of the paper, patch by patch: the patches are the first axis, and a flat copy would cost as much as the product.
        parts = state.view(patches, -1, self.width) @ weights["flat.weight"].view(patches, self.width, -1)
        forecasts = drop(parts.sum(0).view(rows, self.series, -1), (rows, self.series, 1))
        return weights["score.bias"].addmm(forecasts.flatten(1), weights["score.weight"]).T

    def _represented(self, weights: "Weights", x: "Tensor") -> "Tensor":
        """Windows of series (rows, window, series) as what the encoder makes of them, shape (patches, rows, series, width)."""
        rows, window, series = x.shape
        cut = x.view(rows, -1, self.patch, series).permute(1, 0, 3, 2)
        # The bias of the embedding is a part of the positions.
        state = (cut.reshape(-1, self.patch) @ weights["patch.weight"]).view(window // self.patch, -1, self.width)
        state = (state + weights["position.bias"].unsqueeze(1)).view(-1, self.width)
        for layer in range(self.layers):
            name = f"layer.{layer}"
            state = state + self._attended(weights, name, _normalised(weights, f"{name}.before", state), window // self.patch)
            hidden = _linear(weights, f"{name}.hidden", _normalised(weights, f"{name}.between", state))
            state = state + _linear(weights, f"{name}.output", library().nn.functional.gelu(hidden))
        return _normalised(weights, "last", state).view(-1, rows, series, self.width)

    def _attended(self, weights: "Weights", name: str, state: "Tensor", patches: int) -> "Tensor":
        """Multi-head attention among the patches of each channel; ``state`` is (patches * channels, width).

        Written out with the channels as the last axis: batched products of matrices as small as these take five times as long.
        """
        parts = weights[f"{name}.attention.weight"].T @ state.T + weights[f"{name}.attention.bias"].unsqueeze(1)
        query, key, value = parts.view(3, self.heads, self.width // self.heads, patches, -1).unbind(0)
        likeness = (query.unsqueeze(3) * key.unsqueeze(2)).sum(1) * (1 / math.sqrt(self.width // self.heads))
        mixed = (likeness.softmax(2).unsqueeze(1) * value.unsqueeze(2)).sum(3)
        return _linear(weights, f"{name}.mixed", mixed.view(self.width, -1).T)


def _linear(weights: "Weights", name: str, x: "Tensor") -> "Tensor":
    return weights[f"{name}.bias"].addmm(x, weights[f"{name}.weight"])


def _normalised(weights: "Weights", name: str, x: "Tensor") -> "Tensor":
    normalised: Tensor = library().layer_norm(x, (x.shape[-1],), weights[f"{name}.gain"], weights[f"{name}.bias"])
    return normalised
