"""Spline ridge: a smooth curve for each feature, added up; a plain baseline that anyone can read.

Each feature is spread over cubic cardinal B-splines (de Boor 1978, A Practical Guide to Splines) on evenly spaced knots, and
the outcome is regressed on all of them with a ridge penalty (Hoerl and Kennard 1970).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.models.estimators.estimator import check_fit_input

FILE: Final = "spline_ridge.json"
# Rows expanded at a time: 40 features take 25 MB, however long the panel is.
CHUNK: Final = 8192
LOW, HIGH = -0.5, 0.5


class SplineRidge:
    """Ridge regression on cubic B-splines of each feature.

    Args:
        knots: evenly spaced knots over [-0.5, 0.5], at least 2; a feature gets ``knots + 2`` splines.
        penalty: weight of the ridge, in rows: how many rows of evidence "no effect" weighs. The intercept is free. Daily
            returns are almost all noise (a rank IC of 0.02 explains 0.04 % of the variance), so it is of the order of a panel.
    """

    name: Final = "spline_ridge"

    def __init__(self, knots: int = 7, penalty: float = 100_000.0) -> None:
        self.knots = knots
        self.penalty = penalty
        self.feature_names: tuple[str, ...] = ()
        self._intercept = 0.0
        self._coefficients = np.zeros((knots + 2, 0))
        self._means = np.zeros((knots + 2, 0))

    def parameters(self) -> dict[str, Any]:
        """Knots and penalty."""
        return {"knots": self.knots, "penalty": self.penalty}

    def fit(self, x: NDArray[np.float32], y: NDArray[np.float64], feature_names: Sequence[str]) -> None:
        """Solve the normal equations of the centred splines; their Gram matrix is added up chunk by chunk.

        Args:
            x: features from -0.5 to 0.5, shape (rows, features); values beyond are taken as the bound.
            y: outcomes, shape (rows,).
            feature_names: one name for each column of ``x``.
        """
        check_fit_input(x, y, feature_names)
        shape = (self.knots + 2, x.shape[1])
        size = shape[0] * shape[1]
        gram, moment, total = np.zeros((size, size)), np.zeros(size), np.zeros(size)
        mean_y = float(np.mean(y, dtype=np.float64))
        for rows in _chunks(len(y)):
            basis = self._basis(x[rows])
            gram += basis.T @ basis
            moment += basis.T @ (y[rows].astype(np.float64) - mean_y)
            total += basis.sum(axis=0)
        means = total / len(y)
        # Centring leaves the intercept out of the penalty; ``moment`` needs none, because its outcomes are centred already.
        gram -= len(y) * np.outer(means, means)
        spread = float(np.trace(gram)) / (len(y) * size)
        # The floor keeps rounding from passing for spread where every feature is constant.
        gram[np.diag_indices(size)] += self.penalty * max(spread, 1e-9)
        self.feature_names = tuple(feature_names)
        self._coefficients = np.linalg.solve(gram, moment).reshape(shape)
        self._means = means.reshape(shape)
        self._intercept = mean_y

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The intercept plus every feature's part; shape (rows,)."""
        constant = self._intercept - float(np.sum(self._coefficients * self._means))
        scores = np.empty(len(x))
        for rows in _chunks(len(x)):
            scores[rows] = self._basis(x[rows]) @ self._coefficients.ravel() + constant
        return scores

    def explain(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Each feature's curve at the row's value, less the curve's mean over the training rows; shape (rows, features)."""
        parts = np.empty(x.shape)
        for rows in _chunks(len(x)):
            basis = self._basis(x[rows]).reshape(-1, *self._coefficients.shape)
            parts[rows] = np.einsum("nkp,kp->np", basis - self._means, self._coefficients)
        return parts

    def save(self, folder: Path) -> None:
        """Write ``spline_ridge.json``: parameters, features, intercept, and coefficients by spline and feature."""
        content = {
            **self.parameters(),
            "feature_names": list(self.feature_names),
            "intercept": self._intercept,
            "coefficients": self._coefficients.tolist(),
            "means": self._means.tolist(),
        }
        (folder / FILE).write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote into ``folder``."""
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        model = cls(knots=content["knots"], penalty=content["penalty"])
        model.feature_names = tuple(content["feature_names"])
        model._intercept = content["intercept"]
        model._coefficients = np.array(content["coefficients"], dtype=np.float64)
        model._means = np.array(content["means"], dtype=np.float64)
        return model

    def _basis(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Every spline of every feature, shape (rows, (knots + 2) * features): one block of features for each spline.

        A cubic cardinal B-spline in closed form: with d the distance from its centre in knot spacings,
        B = (max(2 - d, 0)^3 - 4 max(1 - d, 0)^3) / 6. Those of one feature sum to 1 everywhere.
        """
        rows, features = x.shape
        spacing = (HIGH - LOW) / (self.knots - 1)
        position = (np.clip(x, LOW, HIGH).astype(np.float64) - LOW) / spacing
        basis = np.empty((rows, self.knots + 2, features))
        for k in range(self.knots + 2):
            distance = np.abs(position - (k - 1))
            outer, inner = np.maximum(2 - distance, 0), np.maximum(1 - distance, 0)
            basis[:, k, :] = (outer * outer * outer - 4 * inner * inner * inner) / 6
        return basis.reshape(rows, -1)


def _chunks(rows: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, rows, CHUNK))
