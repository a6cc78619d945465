"""Every base model, one line each. A new model is one file in ``estimators/`` and one entry here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from stock_pipeline.core.named import entry_named
from stock_pipeline.datasets.catalogue import DIRECTION_KIND, RETURN_KIND, VOLATILITY_KIND, TargetKind
from stock_pipeline.models.estimators import cat_boost, lightgbm_trees, spline_ridge, xgboost_trees
from stock_pipeline.models.estimators.cat_boost import CatBoost
from stock_pipeline.models.estimators.direction_classifier import DirectionClassifier
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.estimators.gpu import torch_obstacle
from stock_pipeline.models.estimators.light_gbm import LightGBM
from stock_pipeline.models.estimators.mlp import MLP
from stock_pipeline.models.estimators.n_hits import NHiTS
from stock_pipeline.models.estimators.patch_tst import PatchTST
from stock_pipeline.models.estimators.random_forest import RandomForest
from stock_pipeline.models.estimators.spline_ridge import SplineRidge
from stock_pipeline.models.estimators.xg_boost import XGBoost


def _no_code() -> str:
    # A function with a name: an entry is sent to the process that trains its model.
    return "it has no code for one"


@dataclass(frozen=True)
class ModelEntry:
    """One base model.

    Attributes:
        name: its name in tables, settings and artefacts; lower-case letters, digits and underscores.
        make: its class: an unfitted estimator from ``Conditions`` and parameters by name.
        load: the fitted estimator that a folder holds.
        description: one sentence for users.
        kinds: Dagster's kinds, the badges of the asset.
        target: what it learns.
        space: values to draw from, by parameter, where several sets of parameters are tried.
        gpu_obstacle: why it cannot use a GPU here, None where it can.
        holds_sessions_back: whether a fit judges itself on sessions that it holds back; then it has a parameter ``gap_sessions``, how
            many to leave out between these and those that it learns from.
    """

    name: str
    make: Callable[..., Estimator]
    load: Callable[[Path], Estimator]
    description: str
    kinds: tuple[str, ...]
    target: TargetKind = RETURN_KIND
    space: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    gpu_obstacle: Callable[[], str | None] = _no_code
    holds_sessions_back: bool = False


_NETWORK: Final = partial(ModelEntry, kinds=("pytorch",), space={"dropout": (0.1, 0.3, 0.5)}, gpu_obstacle=torch_obstacle)
_FOREST: Final = partial(
    ModelEntry,
    make=RandomForest,
    load=RandomForest.load,
    kinds=("xgboost",),
    space={"max_depth": (4, 6, 8), "subsample": (0.1, 0.2, 0.4)},
    gpu_obstacle=xgboost_trees.gpu_obstacle,
)

CATALOGUE: Final[tuple[ModelEntry, ...]] = (
    ModelEntry(
        name="spline_ridge",
        make=SplineRidge,
        load=SplineRidge.load,
        description="A smooth curve for each feature, added up: cubic B-splines under a ridge penalty.",
        kinds=("numpy",),
        space={"knots": (5, 7, 9), "penalty": (30_000.0, 100_000.0, 300_000.0)},
        gpu_obstacle=spline_ridge.gpu_obstacle,
    ),
    ModelEntry(
        name="lightgbm",
        make=LightGBM,
        load=LightGBM.load,
        description="Gradient-boosted trees with a Huber loss.",
        kinds=("lightgbm",),
        space={"trees": (100, 200), "learning_rate": (0.015, 0.03, 0.06), "huber_delta": (0.1, 0.3)},
        gpu_obstacle=lightgbm_trees.gpu_obstacle,
    ),
    ModelEntry(
        name="xgboost",
        make=XGBoost,
        load=XGBoost.load,
        description="Gradient-boosted trees by XGBoost.",
        kinds=("xgboost",),
        space={"trees": (100, 200), "learning_rate": (0.015, 0.03, 0.06), "max_depth": (4, 5, 6)},
        gpu_obstacle=xgboost_trees.gpu_obstacle,
    ),
    ModelEntry(
        name="catboost",
        make=CatBoost,
        load=CatBoost.load,
        description="Gradient-boosted symmetric trees by CatBoost.",
        kinds=("catboost",),
        space={"trees": (100, 200), "learning_rate": (0.015, 0.03, 0.06), "depth": (4, 5, 6)},
        gpu_obstacle=cat_boost.gpu_obstacle,
    ),
    _FOREST(name="random_forest", description="A random forest: deep trees on random rows and features, averaged."),
    _NETWORK(
        name="mlp",
        make=MLP,
        load=MLP.load,
        description="A small neural network on the features of the session.",
    ),
    _NETWORK(
        name="n_hits",
        make=NHiTS,
        load=NHiTS.load,
        description="N-HiTS: blocks that read the last sessions' features at several speeds.",
    ),
    _NETWORK(
        name="patch_tst",
        make=PatchTST,
        load=PatchTST.load,
        description="PatchTST: attention over patches of each feature's last sessions.",
    ),
    _FOREST(name="risk", description="A random forest for the volatility of the sessions ahead.", target=VOLATILITY_KIND),
    ModelEntry(
        name="direction",
        make=DirectionClassifier,
        load=DirectionClassifier.load,
        description="The probability that the return is positive: boosted trees, calibrated.",
        kinds=("lightgbm",),
        target=DIRECTION_KIND,
        gpu_obstacle=lightgbm_trees.gpu_obstacle,
        holds_sessions_back=True,
    ),
)

# The meta-learner's name: it has scores, trainings and artefacts like a base model, but no entry, for it learns from the entries.
STACK: Final = "stack"


def model_entry(name: str) -> ModelEntry:
    """The entry called ``name``.

    Raises:
        InputError: there is none.
    """
    return entry_named(name, CATALOGUE, "model")


def parse_models(names: Sequence[str]) -> tuple[ModelEntry, ...]:
    """The entries called ``names``, each once, in the order of the catalogue; every entry where ``names`` is empty.

    Raises:
        InputError: a name is not in the catalogue.
    """
    wanted = {model_entry(name).name for name in names}
    return tuple(entry for entry in CATALOGUE if not wanted or entry.name in wanted)


def ranking_models() -> tuple[str, ...]:
    """The models whose scores rank stocks by expected return, and the stack."""
    return (*(entry.name for entry in CATALOGUE if entry.target.ranks_stocks), STACK)


def stacked_models(names: Sequence[str] | None) -> tuple[str, ...]:
    """The models that the stack weighs, all or the ones among ``names``."""
    return tuple(entry.name for entry in parse_models(names or ()) if entry.target.is_stacked)
