"""LightGBM: gradient-boosted trees with a Huber loss (Ke et al. 2017; Huber 1964). Named so as not to hide the library."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.models.estimators.estimator import check_fit_input

TREES_FILE: Final = "trees.txt"
SETTINGS_FILE: Final = "light_gbm.json"


class LightGBM:
    """Two hundred shallow trees; depth and leaves are capped, because the cost of explaining a row grows with both.

    Args:
        seed: drives which features each tree sees.
        threads: OpenMP threads; the trees are the same for any number, the file is not, because it records the number.
        trees: boosting rounds.
        learning_rate: share of each tree that is added.
        huber_delta: residual beyond which the loss grows linearly, on the scale of the target (-0.5 to 0.5).
    """

    name: Final = "lightgbm"

    def __init__(self, seed: int, threads: int, *, trees: int = 200, learning_rate: float = 0.03, huber_delta: float = 0.3) -> None:
        self.seed = seed
        self.threads = threads
        self.trees = trees
        self.learning_rate = learning_rate
        self.huber_delta = huber_delta
        self.feature_names: tuple[str, ...] = ()
        self._booster: Any = None

    def parameters(self) -> dict[str, Any]:
        """Everything given to LightGBM but the size of a leaf, which follows from the number of rows."""
        return {
            "objective": "huber",
            "alpha": self.huber_delta,
            "trees": self.trees,
            "learning_rate": self.learning_rate,
            "max_depth": 6,
            "num_leaves": 31,
            "feature_fraction": 0.5,
            "lambda_l2": 10.0,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
        }

    def fit(self, x: NDArray[np.float32], y: NDArray[np.float64], feature_names: Sequence[str]) -> None:
        """Boost the trees on ``x`` (rows, features) and ``y`` (rows,); ``feature_names`` name the columns of ``x``."""
        check_fit_input(x, y, feature_names)
        lightgbm = _library()
        settings = {key: value for key, value in self.parameters().items() if key != "trees"}
        settings |= {"min_data_in_leaf": min_data_in_leaf(len(y)), "verbosity": -1}
        data = lightgbm.Dataset(x, label=y, feature_name=list(feature_names), params=settings, free_raw_data=True)
        self._booster = lightgbm.train(settings, data, num_boost_round=self.trees)
        self.feature_names = tuple(feature_names)

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of the trees; shape (rows,)."""
        return np.asarray(self._booster.predict(x, num_threads=self.threads), dtype=np.float64)

    def explain(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Exact SHAP values (Lundberg et al. 2020) by LightGBM itself; shape (rows, features)."""
        with_constant = np.asarray(self._booster.predict(x, pred_contrib=True, num_threads=self.threads), dtype=np.float64)
        return with_constant[:, :-1]

    def save(self, folder: Path) -> None:
        """Write ``trees.txt`` (LightGBM's own text) and ``light_gbm.json`` (the settings)."""
        self._booster.save_model(str(folder / TREES_FILE))
        settings = {
            "seed": self.seed,
            "threads": self.threads,
            "trees": self.trees,
            "learning_rate": self.learning_rate,
            "huber_delta": self.huber_delta,
        }
        (folder / SETTINGS_FILE).write_text(json.dumps(settings, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that ``save`` wrote into ``folder``."""
        model = cls(**json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8")))
        model._booster = _library().Booster(model_file=str(folder / TREES_FILE))
        model.feature_names = tuple(model._booster.feature_name())
        return model


def min_data_in_leaf(rows: int) -> int:
    """Fewest rows in a leaf: a hundredth of ``rows``, but at least 5 (to learn from small panels) and at most 1,000."""
    return min(max(rows // 100, 5), 1000)


def _library() -> Any:
    # Read at import. Idle OpenMP threads spin by default, which made two jobs side by side up to ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import lightgbm

    return lightgbm
