"""LightGBM: gradient-boosted trees with a Huber loss (Ke et al. 2017; Huber 1964). Named so as not to hide the library."""

from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import Conditions, check_fit_input
from stock_pipeline.models.estimators.lightgbm_trees import SETTINGS, LightGBMTrees
from stock_pipeline.models.estimators.trees import Settings, read_settings, write_settings


class LightGBM:
    """Two hundred shallow trees, each fitted to what those before it left.

    Args:
        conditions: the seed drives which features each tree sees. The trees are the same for any number of threads; the files are
            not, because they record it.
        trees: boosting rounds.
        learning_rate: share of each tree that is added.
        huber_delta: residual beyond which the loss grows linearly, on the scale of the target (-0.5 to 0.5).
    """

    window: Final = 1

    def __init__(self, conditions: Conditions, *, trees: int = 200, learning_rate: float = 0.03, huber_delta: float = 0.3) -> None:
        self.conditions = conditions
        self.feature_names: tuple[str, ...] = ()
        self._arguments: dict[str, Any] = {"trees": trees, "learning_rate": learning_rate, "huber_delta": huber_delta}
        self._trees: LightGBMTrees

    def parameters(self) -> dict[str, Any]:
        """Everything given to LightGBM but the size of a leaf and its penalty, which follow from the number of samples."""
        return {**SETTINGS, **self._arguments}

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        """Boost the trees on the samples and their targets ``y`` (samples,)."""
        check_fit_input(samples, y)
        chosen = self._arguments
        loss = {"objective": "huber", "alpha": chosen["huber_delta"], "learning_rate": chosen["learning_rate"]}
        self._trees = LightGBMTrees.grow(samples, y, self.conditions, loss, chosen["trees"])
        self.feature_names = samples.names

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        """The sum of the trees; shape (samples,)."""
        return self._trees.add_up(samples.matrix())

    def explain(self, samples: Samples) -> NDArray[np.float64]:
        """Exact SHAP values of the score (Lundberg et al. 2020); shape (samples, features)."""
        return self._trees.contributions(samples.matrix())

    def save(self, folder: Path) -> None:
        """Write ``trees.txt`` (LightGBM's own text) and ``settings.json``."""
        self._trees.save(folder)
        write_settings(folder, Settings(self.conditions, self._arguments, self.feature_names, {}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote into ``folder``."""
        settings = read_settings(folder)
        model = cls(settings.conditions, **settings.arguments)
        model._trees = LightGBMTrees.load(folder, settings.conditions.threads)
        model.feature_names = settings.feature_names
        return model
