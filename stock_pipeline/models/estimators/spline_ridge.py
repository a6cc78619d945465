"""Spline ridge: the sum of a smooth curve for each feature; a simple, interpretable baseline.

Each feature is spread over cubic cardinal B-splines (de Boor 1978, A Practical Guide to Splines) on evenly spaced knots, and
the outcome is regressed on all of them with a ridge penalty (Hoerl and Kennard 1970).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import Conditions, Parametrised, check_fit_input

FILE: Final = "spline_ridge.json"
# Rows expanded at a time: 40 features take 6 MB, and a float32 sum over so few rows is exact to about six digits.
CHUNK: Final = 4096
LOW, HIGH = -0.5, 0.5
# The four splines that overlap between two knots, as polynomials of the place between them (0 to 1): row i holds how much of each
# spline's coefficient goes into the i-th power.
POWERS: Final[NDArray[np.float64]] = np.array([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]) / 6


def gpu_obstacle() -> str | None:
    """Why a spline ridge cannot compute on a GPU: it is NumPy's."""
    return "the spline ridge computes with NumPy, which knows the CPU only"


@dataclass(eq=False, kw_only=True)
class SplineRidge(Parametrised):
    """Ridge regression on cubic B-splines of each feature.

    Args:
        conditions: recorded; the fit draws nothing at random and always takes one thread.
        knots: evenly spaced knots over [-0.5, 0.5], at least 2; a feature gets ``knots + 2`` splines.
        penalty: weight of the ridge, in rows: how many rows of evidence "no effect" weighs. The intercept is free. Daily
            returns are almost all noise (a rank IC of 0.02 explains 0.04 % of the variance), so it is of the order of a panel.
            Below about 0.01 the rounding of the Gram matrix would begin to show.
    """

    window: ClassVar[int] = 1
    knots: int = 7
    penalty: float = 100_000.0

    def __post_init__(self) -> None:
        self._set(0.0, np.zeros((self.knots + 2, 0)), np.zeros((self.knots + 2, 0)))

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        """Solve the normal equations of the centred splines; values beyond -0.5 and 0.5 are taken as the bound.

        Their Gram matrix is added up in float32 within a chunk of rows and in float64 across chunks.
        """
        # OpenBLAS's threads wait for each other by spinning: beside another busy process two took twenty times as long as one.
        from threadpoolctl import threadpool_limits

        check_fit_input(samples, y)
        with threadpool_limits(limits=1, user_api="blas"):
            self._solve(samples.matrix(), y)
        self.feature_names = samples.names

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        """The intercept plus every feature's part; shape (samples,)."""
        x = samples.matrix()
        scores = np.empty(len(x))
        for first in range(0, len(x), CHUNK):
            scores[first : first + CHUNK] = self._parts(x[first : first + CHUNK]).sum(axis=1)
        return scores + self._intercept

    def explain(self, samples: Samples) -> NDArray[np.float64]:
        """Each feature's curve at the sample's value, less the curve's mean over the training samples; shape (samples, features)."""
        return self._parts(samples.matrix())

    def save(self, folder: Path) -> None:
        """Write ``spline_ridge.json``: conditions, parameters, features, intercept, and coefficients by spline and feature."""
        content = {
            "conditions": asdict(self.conditions),
            "parameters": self.parameters(),
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
        model = cls(Conditions(**content["conditions"]), **content["parameters"])
        model.feature_names = tuple(content["feature_names"])
        model._set(content["intercept"], np.array(content["coefficients"]), np.array(content["means"]))
        return model

    def _solve(self, x: NDArray[np.float32], y: NDArray[np.float64]) -> None:
        shape = (self.knots + 2, x.shape[1])
        size = shape[0] * shape[1]
        gram, moment, total = np.zeros((size, size)), np.zeros(size), np.zeros(size)
        mean_y = float(y.mean())
        one = np.ones(CHUNK, dtype=np.float32)
        for first in range(0, len(y), CHUNK):
            basis = splines(x[first : first + CHUNK], self.knots)
            gram += basis.T @ basis
            moment += (y[first : first + CHUNK] - mean_y) @ basis
            total += one[: len(basis)] @ basis
        means = total / len(y)
        # Centring leaves the intercept out of the penalty; ``moment`` needs none, because its outcomes are centred already.
        gram -= len(y) * np.outer(means, means)
        spread = float(np.trace(gram)) / (len(y) * size)
        # The floor keeps rounding from passing for spread where every feature is constant.
        gram[np.diag_indices(size)] += self.penalty * max(spread, 1e-6)
        self._set(mean_y, np.linalg.solve(gram, moment).reshape(shape), means.reshape(shape))

    def _set(self, intercept: float, coefficients: NDArray[np.float64], means: NDArray[np.float64]) -> None:
        self._intercept, self._coefficients, self._means = intercept, coefficients, means
        # One cubic for each feature and pair of neighbouring knots, (features * pairs, 4): a score then looks up four numbers a
        # feature in place of evaluating nine splines.
        features, pairs = coefficients.shape[1], self.knots - 1
        four = np.lib.stride_tricks.sliding_window_view(coefficients, 4, axis=0)
        cubics = np.einsum("ik,pfk->fpi", POWERS, four)
        cubics[:, :, 0] -= (coefficients * means).sum(axis=0)[:, None]
        self._cubics = cubics.reshape(features * pairs, 4)
        self._first_cubic = np.arange(features) * pairs

    def _parts(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        position = (np.clip(x, LOW, HIGH).astype(np.float64) - LOW) * (self.knots - 1)
        pair = np.minimum(position.astype(np.int64), self.knots - 2)
        u = position - pair
        a, b, c, d = np.moveaxis(self._cubics[self._first_cubic + pair], -1, 0)
        return np.asarray(((d * u + c) * u + b) * u + a)


def splines(x: NDArray[np.float32], knots: int) -> NDArray[np.float32]:
    """Every spline of every feature, shape (rows, (knots + 2) * features): one block of features for each spline.

    A cubic cardinal B-spline in closed form: with d the distance from its centre in knot spacings,
    B = (max(2 - d, 0)^3 - 4 max(1 - d, 0)^3) / 6. Those of one feature sum to 1 everywhere.
    """
    position = (np.clip(x, LOW, HIGH) - np.float32(LOW)) * np.float32((knots - 1) / (HIGH - LOW))
    basis = np.empty((len(x), knots + 2, x.shape[1]), dtype=np.float32)
    # Worked out in place: fresh arrays for every step would take twice the time.
    outer, inner, cube = (np.empty_like(position) for _ in range(3))
    for k in range(knots + 2):
        np.abs(np.subtract(position, np.float32(k - 1), out=outer), out=outer)
        np.maximum(np.subtract(2, outer, out=outer), 0, out=outer)
        np.maximum(np.subtract(outer, 1, out=inner), 0, out=inner)
        np.multiply(np.multiply(outer, outer, out=cube), outer, out=cube)
        np.multiply(np.multiply(inner, inner, out=outer), inner, out=outer)
        np.subtract(cube, np.multiply(outer, 4, out=outer), out=cube)
        np.multiply(cube, np.float32(1 / 6), out=basis[:, k, :])
    return basis.reshape(len(x), -1)
