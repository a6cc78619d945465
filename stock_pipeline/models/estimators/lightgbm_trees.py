"""LightGBM's boosted trees (Ke et al. 2017): growing, summing, explaining and saving. Their meaning is up to the model that owns them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.estimators.threads import sleep_when_idle
from stock_pipeline.models.estimators.trees import min_data_in_leaf

TREES_FILE: Final = "trees.txt"
# Features are ranks within a session of some hundred stocks: finer bins would tell hardly more apart and cost time.
SETTINGS: Final[Mapping[str, Any]] = {
    "max_bin": 63,
    # Depth and leaves are capped, because the cost of explaining a sample grows with both.
    "max_depth": 5,
    "num_leaves": 24,
    "feature_fraction": 0.5,
    # Equal trees for any number of threads. Columns, because half of them sit out each tree.
    "deterministic": True,
    "force_col_wise": True,
}
# Below this, waking a second thread costs more than it gives.
SAMPLES_WORTH_THREADS: Final = 1000


def gpu_obstacle() -> str:
    """Why LightGBM cannot compute on a GPU."""
    return "LightGBM's published package computes on the CPU only"


class LightGBMTrees:
    """A sum of boosted trees.

    Args:
        booster: LightGBM's own object.
        threads: OpenMP threads for many samples; few are scored by one.
    """

    def __init__(self, booster: Any, threads: int) -> None:
        self._booster = booster
        self._threads = threads

    @classmethod
    def grow(
        cls, samples: Samples, y: NDArray[np.float64], conditions: Conditions, objective: Mapping[str, Any], trees: int
    ) -> "LightGBMTrees":
        """Boost trees on the samples.

        Args:
            samples: the samples.
            y: their targets, shape (samples,).
            conditions: seed and threads.
            objective: the loss and the learning rate, in LightGBM's own parameters.
            trees: boosting rounds.
        """
        lightgbm = _library()
        leaf = min_data_in_leaf(len(y))
        settings = {
            **SETTINGS,
            **objective,
            "min_data_in_leaf": leaf,
            "lambda_l2": float(leaf),
            "seed": conditions.seed,
            "num_threads": conditions.threads,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(samples.matrix(), label=y, feature_name=list(samples.names), params=settings, free_raw_data=True)
        return cls(lightgbm.train(settings, data, num_boost_round=trees), conditions.threads)

    def add_up(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of the trees for each row of ``x``; shape (rows,)."""
        threads = self._threads if len(x) >= SAMPLES_WORTH_THREADS else 1
        return np.asarray(self._booster.predict(x, raw_score=True, num_threads=threads), dtype=np.float64)

    def contributions(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Exact SHAP values (Lundberg et al. 2020) by LightGBM itself, of the sum of the trees; shape (rows, features)."""
        if not len(x):
            return np.zeros(x.shape)
        with_constant = np.asarray(self._booster.predict(x, pred_contrib=True, num_threads=self._threads), dtype=np.float64)
        return with_constant[:, :-1]

    def save(self, folder: Path) -> None:
        """Write ``trees.txt``, LightGBM's own text, into ``folder``."""
        self._booster.save_model(str(folder / TREES_FILE))

    @classmethod
    def load(cls, folder: Path, threads: int) -> "LightGBMTrees":
        """The trees that ``save`` wrote into ``folder``."""
        return cls(_library().Booster(model_file=str(folder / TREES_FILE)), threads)


def _library() -> Any:
    sleep_when_idle()
    import lightgbm

    return lightgbm
