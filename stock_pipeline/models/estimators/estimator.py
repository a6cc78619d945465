"""The interface of every base model."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Conditions:
    """What a fit depends on besides the data and the model's own parameters: random seed, threads and device."""

    seed: int
    threads: int
    device: Device = "cpu"


class Estimator(Protocol):
    """A regressor of a target on features that models see as ranks within their session (from -0.5 to 0.5).

    A class of the catalogue is made by ``Class(conditions, **parameters)``, every parameter with a default. Fitting is
    deterministic: the same samples, targets, parameters and conditions give the same files, byte for byte. Files hold numbers and
    text, never pickled objects. A loaded model computes on the CPU.
    """

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features in the order of the columns that ``predict`` expects; empty before ``fit``."""
        ...

    @property
    def window(self) -> int:
        """How many sessions of features a score rests on, the sample's own included; 1 for most models."""
        ...

    def parameters(self) -> dict[str, Any]:
        """What the fit depends on besides data and conditions, ready for JSON; known before fitting."""
        ...

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        """Learn from the samples and their targets ``y`` (samples,).

        Raises:
            ValueError: there is no sample, or not one target for each.
        """
        ...

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        """The score of each sample, on the scale of the target; shape (samples,)."""
        ...

    def explain(self, samples: Samples) -> NDArray[np.float64] | None:
        """The contribution of each feature to each sample's score, shape (samples, features), or None where the model has none.

        A score (or the transform of it that the class names, where scores do not add up) less the sum of its contributions is one
        constant, the same for every sample.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the fitted model into ``folder``, which exists."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote into ``folder``."""
        ...


@dataclass(eq=False)
class Parametrised:
    """The base of the catalogue's estimators. A subclass is a dataclass whose own fields are its parameters, by keyword."""

    conditions: Conditions
    feature_names: tuple[str, ...] = field(default=(), init=False)

    def arguments(self) -> dict[str, Any]:
        """The parameters that it was made with, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.kw_only}

    def parameters(self) -> dict[str, Any]:
        """What the fit depends on besides data and conditions: the arguments, unless the class says more."""
        return self.arguments()


def check_fit_input(samples: Samples, y: NDArray[np.float64]) -> None:
    """Refuse to fit without a sample, or without one finite target for each.

    Raises:
        ValueError: the numbers do not fit each other, or a target is not a number.
    """
    if len(samples) == 0 or len(samples) != len(y):
        raise ValueError(f"cannot fit on {len(samples)} samples and {len(y)} targets; give at least one, and one target for each")
    if not np.isfinite(y).all():
        raise ValueError(f"cannot fit: {int((~np.isfinite(y)).sum())} of {len(y)} targets are not finite; leave those samples out")
