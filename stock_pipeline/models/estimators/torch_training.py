"""The training of the neural networks: sample budget, batches, learning-rate schedule, dropout and weight averaging."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.models.estimators.threads import sleep_when_idle

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    Weights = dict[str, Tensor]

    class Drop(Protocol):
        """Drops a share of the activations; those along an axis where ``shape`` says 1 share their fate."""

        def __call__(self, x: Tensor, shape: Sequence[int] | None = None) -> Tensor:
            """The activations that are left, scaled up for those that are not."""
            ...


# Small panels take smaller batches, so that an epoch still has steps to learn in.
STEPS_OF_AN_EPOCH: Final = 50
SMALLEST_BATCH: Final = 32
WARM_UP: Final = 0.1
# Makes up for the half of the variance that a ReLU cuts off.
RELU_GAIN: Final = math.sqrt(2)


@dataclass(frozen=True)
class Training:
    """The parameters of a network's training.

    Attributes:
        most_samples: samples shown in all, over all the epochs; what bounds the time of a fit on a long panel.
        most_epochs: how often one sample is shown at most; what bounds it on a short one.
        batch: samples in a step at most.
        learning_rate: the highest of the schedule.
        weight_decay: of AdamW, for matrices alone; strong, as it keeps most of the noise out of the weights.
        dropout: share of the activations dropped while training.
    """

    most_samples: int
    most_epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    dropout: float

    def __post_init__(self) -> None:
        for name in ("most_samples", "most_epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")


def batches_of(samples: int, training: Training, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Places of the samples of each step: epoch after epoch without replacement, the last one cut where the budget ends.

    Within a batch they ascend, as ``Samples`` wants them; the batches of an epoch differ by one sample at most.
    """
    size = min(training.batch, max(SMALLEST_BATCH, samples // STEPS_OF_AN_EPOCH))
    left = min(training.most_samples, training.most_epochs * samples)
    batches: list[NDArray[np.int64]] = []
    while left > 0:
        order = rng.permutation(samples)[:left]
        batches += [np.sort(batch) for batch in np.array_split(order, math.ceil(len(order) / size))]
        left -= len(order)
    return batches


def schedule(step: int, steps: int) -> float:
    """Share of the highest learning rate: a line up over the first tenth of the steps, times a cosine down to nearly 0."""
    return min(1.0, (step + 1) / (WARM_UP * steps)) * 0.5 * (1 + math.cos(math.pi * step / steps))


def dropping(share: float, generator: "torch.Generator") -> "Drop":
    """Dropout (Srivastava et al. 2014) of a share, rounded to a 256th, with random numbers of its own."""
    torch = library()
    kept = max(1, round((1 - share) * 256))

    def drop(x: "Tensor", shape: Sequence[int] | None = None) -> "Tensor":
        shape = x.shape if shape is None else shape
        # Eight random bytes at a draw: torch's own dropout spends more time on its random numbers than a small network on the rest.
        draws = torch.empty(-(-math.prod(shape) // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None, generator=generator)
        mask = draws.view(torch.uint8)[: math.prod(shape)].view(*shape) < kept
        dropped: Tensor = x * (mask * (256 / kept))
        return dropped

    return keep if kept == 256 else drop


def keep(x: "Tensor", shape: Sequence[int] | None = None) -> "Tensor":  # noqa: ARG001
    """Take the place of dropout in prediction: all the activations as they are."""
    return x


class Average:
    """The mean of the weights after several steps, on the CPU at the end."""

    def __init__(self, weights: "Weights") -> None:
        self._mean = {name: weight.detach().clone() for name, weight in weights.items()}
        self._count = 0

    def add(self, weights: "Weights") -> None:
        """Take in the weights after one more step."""
        self._count += 1
        for name, mean in self._mean.items():
            mean.lerp_(weights[name].detach(), 1 / self._count)

    def weights(self) -> "Weights":
        """The means, on the CPU and apart from any gradient."""
        return {name: mean.cpu() for name, mean in self._mean.items()}


def library() -> Any:
    """Torch, imported with idle threads asleep and with what CUDA's matrix products need to be deterministic."""
    sleep_when_idle()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    return torch


def import_for_fits() -> None:
    """Import what a fit needs: torch, and the half of it that it imports itself, in a second, when the first optimiser is made."""
    torch = library()
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


def drawn(generator: "torch.Generator", *shape: int, inputs: int, gain: float = 1.0) -> "Tensor":
    """Normal weights of a layer with so many inputs, which keep the variance of its activations (He et al. 2015)."""
    torch = library()
    made: Tensor = torch.randn(shape, generator=generator) * (gain / math.sqrt(inputs))
    return made


@contextmanager
def threads_used(number: int) -> Iterator[None]:
    """Run torch on this number of threads, and afterwards on as many as before."""
    torch = library()
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic(device: "torch.device") -> Iterator[None]:
    """On CUDA, only operations that give the same each time; on the CPU those used here do anyway, and asking takes two seconds."""
    torch = library()
    if device.type == "cpu":
        yield
        return
    before, warn_only = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
