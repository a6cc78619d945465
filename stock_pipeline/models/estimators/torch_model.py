"""The base of the neural networks: training within a budget, prediction in chunks, and files without pickle.

A network here is a dictionary of named tensors and a function of them, not an object of torch's: so torch is imported only when a
model is fitted or scores, and the few operations of one sample's score are nearly all that it costs.
"""

import json
import math
from abc import ABC, abstractmethod
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators import torch_training
from stock_pipeline.models.estimators.estimator import Conditions, Parametrised, check_fit_input

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.optim import AdamW

    from stock_pipeline.models.estimators.torch_training import Drop, Weights

WEIGHTS_FILE: Final = "weights.safetensors"
SETTINGS_FILE: Final = "network.json"
# Rows scored at a time: the activations stay in the cache, and in memory however many rows there are.
CHUNK: Final = 256
# Up to here a second thread costs more than it saves.
FEW: Final = 128
AVERAGED: Final = 0.25
CLIP: Final = 1.0
# Ranks spread evenly over (-0.5, 0.5) have a variance of 1/12.
INPUT_SCALE: Final = np.float32(math.sqrt(12))


class TorchModel(Parametrised, ABC):
    """A network that scores windows of features; a subclass gives its tensors and the function of them, and has the fields of
    ``Training`` among its parameters.

    Trained with AdamW (Loshchilov and Hutter 2019) on the squared error of the target scaled to unit variance, with a warm-up, a
    cosine to zero, clipped gradients, and the weights averaged over the last steps (Polyak and Juditsky 1992; Izmailov et al. 2018):
    the target is almost all noise, and each of these keeps a part of it out. The random numbers are the model's own: torch's global
    state stays as it was. Files and predictions are the CPU's, wherever it was trained.

    Args:
        conditions: seed, threads while fitting and scoring many rows, and device of the training.
    """

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window is {self.window}; give at least 1 session")
        self.training = torch_training.Training(**{each.name: getattr(self, each.name) for each in fields(torch_training.Training)})
        self._weights: Weights = {}
        self._mean = 0.0
        self._scale = 1.0

    @property
    @abstractmethod
    def window(self) -> int:
        """Sessions of features seen."""

    @abstractmethod
    def _initial(self, features: int, generator: "torch.Generator") -> "Weights":
        """The tensors before training, float32 on the CPU; the last layer zero, so that training starts from the mean.

        Those whose names end in ``weight`` decay.
        """

    @abstractmethod
    def _forward(self, weights: "Weights", x: "Tensor", drop: "Drop") -> "Tensor":
        """Scores of windows ``x`` (rows, window, features), shape (members, rows): each member learns, their mean is the score."""

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        """Train on the samples and their targets ``y`` (samples,).

        Raises:
            ValueError: there is no sample, or not one finite target for each.
            ArithmeticError: the training diverged.
        """
        check_fit_input(samples, y)
        mean, scale = _scaling(y)
        target = ((y - mean) / scale).astype(np.float32)
        weights = self._trained(samples, target)
        self.feature_names = samples.names
        self._weights, self._mean, self._scale = weights, mean, scale

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        """The mean of the members' scores; shape (samples,)."""
        torch = torch_training.library()
        scores = np.empty(len(samples))
        threads = 1 if len(samples) <= FEW else self.conditions.threads
        with torch.inference_mode(), torch_training.threads_used(threads):
            for start in range(0, len(samples), CHUNK):
                part = slice(start, start + CHUNK)
                x = torch.from_numpy(self._input(samples.take(part)))
                scores[part] = self._forward(self._weights, x, torch_training.keep).mean(0).numpy()
        return scores * self._scale + self._mean

    def explain(self, samples: Samples) -> NDArray[np.float64] | None:  # noqa: ARG002
        """Return None: a network has no exact contributions."""
        return None

    def save(self, folder: Path) -> None:
        """Write ``weights.safetensors`` (the tensors) and ``network.json`` (all else)."""
        from safetensors.numpy import save_file

        save_file({name: weight.numpy() for name, weight in self._weights.items()}, folder / WEIGHTS_FILE)
        settings = {
            "conditions": asdict(self.conditions),
            "parameters": self.parameters(),
            "feature_names": list(self.feature_names),
            "mean": self._mean,
            "scale": self._scale,
        }
        (folder / SETTINGS_FILE).write_text(json.dumps(settings, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote into ``folder``.

        Raises:
            ValueError: the tensors are not those of such a network.
        """
        from safetensors.numpy import load_file

        torch = torch_training.library()
        settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        model = cls(Conditions(**settings["conditions"]), **settings["parameters"])
        model.feature_names = tuple(settings["feature_names"])
        model._mean, model._scale = settings["mean"], settings["scale"]
        arrays = load_file(folder / WEIGHTS_FILE)
        expected = {name: tuple(weight.shape) for name, weight in model._initial(len(model.feature_names), torch.Generator()).items()}
        found = {name: array.shape for name, array in arrays.items() if array.dtype == np.float32}
        if found != expected:
            differing = sorted(name for name in expected.keys() | arrays.keys() if found.get(name) != expected.get(name))
            unfit = ", ".join(differing)
            raise ValueError(f"{folder / WEIGHTS_FILE} does not fit {SETTINGS_FILE} in {unfit}; fit and save the model again")
        model._weights = {name: torch.from_numpy(arrays[name]) for name in expected}
        return model

    def _input(self, samples: Samples) -> NDArray[np.float32]:
        """The samples' windows with unit variance, an array of its own; shape (samples, window, features)."""
        if self.window == 1:
            return samples.matrix()[:, None] * INPUT_SCALE
        windows = samples.windows(self.window)
        windows *= INPUT_SCALE
        return windows

    def _trained(self, samples: Samples, target: NDArray[np.float32]) -> "Weights":
        torch = torch_training.library()
        device = torch.device(self.conditions.device)
        batches = torch_training.batches_of(len(samples), self.training, np.random.default_rng(self.conditions.seed))
        generator = torch.Generator().manual_seed(self.conditions.seed)
        initial = self._initial(len(samples.names), generator)
        drop = torch_training.dropping(self.training.dropout, torch.Generator(device).manual_seed(self.conditions.seed))
        with torch_training.threads_used(self.conditions.threads), torch_training.deterministic(device), torch.enable_grad():
            weights = {name: weight.to(device).requires_grad_() for name, weight in initial.items()}
            optimiser = self._optimiser(weights)
            average = torch_training.Average(weights)
            for step, batch in enumerate(batches):
                x = torch.from_numpy(self._input(samples.take(batch))).to(device)
                error = self._forward(weights, x, drop) - torch.from_numpy(target[batch]).to(device)
                loss = error.square().mean()
                optimiser.zero_grad()
                loss.backward()
                size = torch.nn.utils.clip_grad_norm_(weights.values(), CLIP)
                if not (math.isfinite(loss.item()) and math.isfinite(size.item())):
                    raise ArithmeticError(
                        f"the training of {type(self).__name__} diverged in step {step + 1} of {len(batches)}: its loss is {loss.item()}, "
                        f"the size of its gradient {size.item()}; look for features beyond -0.5 to 0.5, or lower learning_rate "
                        f"({self.training.learning_rate})"
                    )
                for group in optimiser.param_groups:
                    group["lr"] = self.training.learning_rate * torch_training.schedule(step, len(batches))
                optimiser.step()
                if step >= len(batches) * (1 - AVERAGED):
                    average.add(weights)
        return average.weights()

    def _optimiser(self, weights: "Weights") -> "AdamW":
        from torch.optim import AdamW

        decaying = [weight for name, weight in weights.items() if name.endswith("weight")]
        others = [weight for name, weight in weights.items() if not name.endswith("weight")]
        groups = [{"params": decaying, "weight_decay": self.training.weight_decay}, {"params": others, "weight_decay": 0.0}]
        return AdamW(groups, foreach=True)


def _scaling(y: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and spread of the targets; for equal targets the target itself and 1, as their computed spread is rounding at best."""
    if y.min() == y.max():
        return float(y[0]), 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = float(np.mean(y)), float(np.std(y))
    if not math.isfinite(spread):
        raise ArithmeticError(f"the targets reach {np.abs(y).max()}, too far to square; scale them first")
    return mean, spread
