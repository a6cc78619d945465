"""The interface of every base model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray


class Estimator(Protocol):
    """A regressor of the rank target on features ranked within their session (both from -0.5 to 0.5).

    Fitting is deterministic: the same rows in the same order, parameters, seed and threads give the same files, byte for byte.
    Files hold numbers and text, never pickled objects.
    """

    @property
    def name(self) -> str:
        """The model's name in the catalogue."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features in the order of the columns that ``predict`` expects; empty before ``fit``."""
        ...

    def parameters(self) -> dict[str, Any]:
        """What the fit depends on besides the data, ready for JSON; known before fitting."""
        ...

    def fit(self, x: NDArray[np.float32], y: NDArray[np.float64], feature_names: Sequence[str]) -> None:
        """Learn from ``x`` (rows, features), all finite, and ``y`` (rows,)."""
        ...

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The score of each row of ``x`` (rows, features), on the scale of the target; shape (rows,)."""
        ...

    def explain(self, x: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """What each feature adds to each row's score, shape (rows, features), or None where the model cannot tell.

        A row's score less the sum of its contributions is one constant, the same for every row.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the fitted model into ``folder``, which exists."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote into ``folder``."""
        ...


def check_fit_input(x: NDArray[np.float32], y: NDArray[np.float64], feature_names: Sequence[str]) -> None:
    """Passes where ``x`` has at least one row, one column for each feature and one row for each outcome.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    if x.ndim != 2 or x.shape[0] == 0 or x.shape != (len(y), len(feature_names)):
        raise ValueError(f"cannot fit on features of shape {x.shape}, {len(feature_names)} feature names and {len(y)} outcomes")
