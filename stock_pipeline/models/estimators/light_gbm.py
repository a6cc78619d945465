"""LightGBM: gradient-boosted trees with a Huber loss (Ke et al. 2017; Huber 1964). Named so as not to hide the library."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import check_fit_input
from stock_pipeline.models.estimators.lightgbm_trees import SETTINGS, LightGBMTrees
from stock_pipeline.models.estimators.trees import TreeModel


@dataclass(eq=False, kw_only=True)
class LightGBM(TreeModel):
    """Two hundred shallow trees, each fitted to what those before it left.

    Args:
        conditions: the seed drives which features each tree sees. The trees are the same for any number of threads; the files are
            not, because they record it.
        trees: boosting rounds.
        learning_rate: share of each tree that is added.
        huber_delta: residual beyond which the loss grows linearly, on the scale of the target (-0.5 to 0.5).
    """

    trees: int = 200
    learning_rate: float = 0.03
    huber_delta: float = 0.3

    def parameters(self) -> dict[str, Any]:
        """Everything given to LightGBM but the size of a leaf and its penalty, which follow from the number of samples."""
        return {**SETTINGS, **self.arguments()}

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        """Boost the trees on the samples and their targets ``y`` (samples,)."""
        check_fit_input(samples, y)
        loss = {"objective": "huber", "alpha": self.huber_delta, "learning_rate": self.learning_rate}
        self._trees = LightGBMTrees.grow(samples, y, self.conditions, loss, self.trees)
        self.feature_names = samples.names

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        """The sum of the trees; shape (samples,)."""
        return self._trees.add_up(samples.matrix())

    def explain(self, samples: Samples) -> NDArray[np.float64]:
        """Exact SHAP values of the score (Lundberg et al. 2020); shape (samples, features)."""
        return self._trees.contributions(samples.matrix())

    def _save_trees(self, folder: Path) -> None:
        self._trees.save(folder)

    def _load_trees(self, folder: Path, numbers: Mapping[str, float]) -> None:  # noqa: ARG002
        self._trees = LightGBMTrees.load(folder, self.conditions.threads)
