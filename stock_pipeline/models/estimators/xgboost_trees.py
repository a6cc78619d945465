"""The base of the two models of XGBoost's trees (Chen and Guestrin 2016), which differ in how the trees are grown."""

import ctypes
import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators.estimator import check_fit_input
from stock_pipeline.models.estimators.threads import sleep_when_idle
from stock_pipeline.models.estimators.trees import TreeModel, min_data_in_leaf

TREES_FILE: Final = "trees.ubj"  # XGBoost's own universal binary JSON
# Features are ranks within a session of some hundred stocks: finer bins would tell hardly more apart and cost time. The target is
# bounded (-0.5 to 0.5), so squared error meets no outliers, and a leaf's weight is its number of samples.
SETTINGS: Final[Mapping[str, Any]] = {"tree_method": "hist", "max_bin": 64, "objective": "reg:squarederror", "colsample_bynode": 0.5}
# How a scoring asks XGBoost's C interface for the score itself, of all trees, and no other shape than (samples,).
ASK: Final = json.dumps(
    {"type": 0, "training": False, "iteration_begin": 0, "iteration_end": 0, "missing": float("nan"), "strict_shape": False, "cache_id": 0}
).encode()


def gpu_obstacle() -> str | None:
    """Why XGBoost cannot compute on a GPU here, in one sentence; None where it can."""
    if not library().build_info().get("USE_CUDA"):
        return "this build of XGBoost has no CUDA; install the package xgboost in place of xgboost-cpu"
    return None if _gpus() else "XGBoost was built with CUDA, but NVIDIA's driver shows no GPU"


class XGBoostTrees(TreeModel):
    """A sum of XGBoost's trees. A class of its own says how many grow at a time and which part of the data each sees.

    Args:
        conditions: the seed drives which samples and features a tree sees; fitted on the GPU where the device is ``cuda`` and
            nothing stands in the way; scores come from the CPU.
    """

    def parameters(self) -> dict[str, Any]:
        """Everything given to XGBoost but the size of a leaf and its penalty, which follow from the number of samples."""
        return {**SETTINGS, **self.arguments()}

    def fit(self, samples: Samples, y: NDArray[np.float64]) -> None:
        """Grow the trees on the samples and their targets ``y`` (samples,)."""
        check_fit_input(samples, y)
        xgboost = library()
        settings = {
            **SETTINGS,
            **self._growth(min_data_in_leaf(len(y))),
            "seed": self.conditions.seed,
            "nthread": self.conditions.threads,
            "device": "cuda" if self.conditions.device == "cuda" and gpu_obstacle() is None else "cpu",
            "verbosity": 0,
        }
        data = xgboost.QuantileDMatrix(samples.matrix(), label=y, max_bin=SETTINGS["max_bin"], nthread=self.conditions.threads)
        self._booster = _for_scoring(xgboost.train(settings, data, num_boost_round=self._rounds()))
        self.feature_names = samples.names

    def predict(self, samples: Samples) -> NDArray[np.float64]:
        """The sum of the trees; shape (samples,). XGBoost adds them up in float32.

        Through the C interface, which is public and stable: for one sample, Python's ``inplace_predict`` takes twice the time.
        """
        x = np.ascontiguousarray(samples.matrix())
        core = library().core
        array = json.dumps({"data": [x.ctypes.data, True], "shape": x.shape, "typestr": x.dtype.str, "version": 3}).encode()
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        scores = ctypes.POINTER(ctypes.c_float)()
        core._check_call(
            core._LIB.XGBoosterPredictFromDense(
                self._booster.handle, array, ASK, None, ctypes.byref(shape), ctypes.byref(dimensions), ctypes.byref(scores)
            )
        )
        # XGBoost owns the memory and writes over it at the next call; the change of type makes the copy.
        return np.ctypeslib.as_array(scores, shape=(len(x),)).astype(np.float64) if len(x) else np.zeros(0)

    def explain(self, samples: Samples) -> NDArray[np.float64]:
        """Exact SHAP values (Lundberg et al. 2020) by XGBoost itself, in float32 precision; shape (samples, features)."""
        if not len(samples):
            return np.zeros((0, len(self.feature_names)))
        data = library().DMatrix(samples.matrix(), nthread=1)
        return np.asarray(self._booster.predict(data, pred_contribs=True), dtype=np.float64)[:, :-1]

    def _save_trees(self, folder: Path) -> None:
        self._booster.save_model(folder / TREES_FILE)

    def _load_trees(self, folder: Path, numbers: Mapping[str, float]) -> None:  # noqa: ARG002
        self._booster = _for_scoring(library().Booster(model_file=folder / TREES_FILE))

    @abstractmethod
    def _rounds(self) -> int: ...

    @abstractmethod
    def _growth(self, leaf: int) -> dict[str, Any]:
        """XGBoost's parameters of growing, for leaves of at least ``leaf`` samples."""


def library() -> Any:
    """XGBoost, imported when first needed."""
    sleep_when_idle()
    import xgboost

    return xgboost


def _for_scoring(booster: Any) -> Any:
    # One thread: 500,000 samples take it half a second, and for a few of them waking others costs more than it gives.
    booster.set_param({"nthread": 1, "device": "cpu"})
    return booster


def _gpus() -> int:
    """How many GPUs NVIDIA's driver shows; 0 without a driver."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0
