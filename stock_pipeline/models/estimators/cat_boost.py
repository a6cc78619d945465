"""CatBoost: gradient-boosted symmetric trees (Prokhorenkova et al. 2018). Named so as not to hide the library."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import check_fit_input
from stock_pipeline.models.estimators.symmetric_trees import SymmetricTrees
from stock_pipeline.models.estimators.threads import sleep_when_idle
from stock_pipeline.models.estimators.trees import TreeModel, min_data_in_leaf

TREES_FILE: Final = "trees.json"  # CatBoost's own JSON, which it loads itself, less the time and the id of the fit
# Features are ranks within a session of some hundred stocks: finer bins would tell hardly more apart and cost time. Every tree sees
# half of the samples; with plain boosting, for ordered boosting pays on small data sets only and takes several times as long.
SETTINGS: Final[Mapping[str, Any]] = {
    "loss_function": "RMSE",
    "boosting_type": "Plain",
    "bootstrap_type": "Bernoulli",
    "subsample": 0.5,
    "border_count": 64,
}


def gpu_obstacle() -> str | None:
    """Why CatBoost cannot compute on a GPU here, in one sentence; None where it can."""
    _library()
    from catboost.utils import get_gpu_device_count

    return None if get_gpu_device_count() > 0 else "CatBoost sees no GPU"


@dataclass(eq=False, kw_only=True)
class CatBoost(TreeModel):
    """Two hundred trees that ask one question per level, each fitted to what those before it left.

    Two fits on the CPU give the same bytes; on a GPU CatBoost adds up in no fixed order, so the last digits may differ.

    Args:
        conditions: the seed drives which samples each tree sees; fitted on the GPU where the device is ``cuda`` and there is one;
            scores come from the CPU.
        trees: boosting rounds.
        learning_rate: share of each tree that is added.
        depth: questions from the root to a leaf, at most 8.
    """

    trees: int = 200
    learning_rate: float = 0.03
    depth: int = 5

    def parameters(self) -> dict[str, Any]:
        """Everything given to CatBoost but the penalty on leaves, which follows from the number of samples."""
        return {**SETTINGS, **self.arguments()}

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        """Boost the trees on the samples and their targets ``y`` (samples,)."""
        check_fit_input(samples, y)
        x = samples.matrix()
        # CatBoost refuses data without anything to learn, where every other model answers with the mean.
        learnable = bool((y != y[0]).any()) and bool((x != x[0]).any())
        self._take(self._grown(x, y) if learnable else _without_trees(float(y.mean())))
        self.feature_names = samples.names

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        """The sum of the trees; shape (samples,)."""
        return self._trees.add_up(samples.matrix())

    def explain(self, samples: Samples) -> NDArray[np.float64]:
        """Exact SHAP values (Lundberg et al. 2020) by CatBoost itself; shape (samples, features)."""
        x = samples.matrix()
        if self._trees.count == 0 or not len(x):
            return np.zeros(x.shape)
        pool = _library().Pool(x)
        with_constant = self._explainer.get_feature_importance(pool, type="ShapValues", thread_count=self.conditions.threads)
        return np.asarray(with_constant, dtype=np.float64)[:, :-1]

    def _save_trees(self, folder: Path) -> None:
        (folder / TREES_FILE).write_text(self._text, encoding="utf-8")

    def _load_trees(self, folder: Path, numbers: Mapping[str, float]) -> None:  # noqa: ARG002
        self._take((folder / TREES_FILE).read_text(encoding="utf-8"))

    def _take(self, text: str) -> None:
        # The text is the model: scores are read from it before it is saved as well as after it was loaded, so they are the same.
        self._text = text
        self._trees = SymmetricTrees.of(json.loads(text))
        self.__dict__.pop("_explainer", None)

    @cached_property
    def _explainer(self) -> Any:
        """CatBoost's own object; only explaining needs it, so scoring does not wait for the import of the library."""
        model = _library().CatBoost()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / TREES_FILE
            file.write_text(self._text, encoding="utf-8")
            model.load_model(str(file), format="json")
        return model

    def _grown(self, x: NDArray[np.float32], y: NDArray[np.float64]) -> str:
        catboost = _library()
        on_gpu = self.conditions.device == "cuda" and gpu_obstacle() is None
        settings = {
            **SETTINGS,
            "iterations": self.trees,
            "learning_rate": self.learning_rate,
            "depth": self.depth,
            "l2_leaf_reg": min_data_in_leaf(len(y)),
            "random_seed": self.conditions.seed,
            "thread_count": self.conditions.threads,
            "task_type": "GPU" if on_gpu else "CPU",
            "allow_writing_files": False,
            "logging_level": "Silent",
        }
        model = catboost.CatBoost(settings)
        model.fit(catboost.Pool(x, label=y, thread_count=self.conditions.threads))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / TREES_FILE
            model.save_model(str(file), format="json")
            content = json.loads(file.read_text(encoding="utf-8"))
        # Holds the time of the fit, a random id and the library's build; nothing of it is needed for loading.
        del content["model_info"]
        return _text(content)


def _without_trees(constant: float) -> str:
    return _text({"features_info": {"float_features": []}, "oblivious_trees": [], "scale_and_bias": [1, [constant]]})


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n"


def _library() -> Any:
    sleep_when_idle()
    import catboost

    return catboost
