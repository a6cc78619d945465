"""Every base model, one line each. A new model is one file in ``estimators/`` and one entry here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stock_pipeline.core.named import entry_named
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.estimators.light_gbm import LightGBM
from stock_pipeline.models.estimators.spline_ridge import SplineRidge


@dataclass(frozen=True)
class ModelEntry:
    """One base model.

    Attributes:
        name: its name in tables, settings and artefacts; lower-case letters, digits and underscores.
        make: an unfitted estimator, from a random seed and a number of threads.
        load: the fitted estimator that a folder holds.
        description: one sentence for users.
        kinds: Dagster's kinds, the badges of the asset.
    """

    name: str
    make: Callable[[int, int], Estimator]
    load: Callable[[Path], Estimator]
    description: str
    kinds: tuple[str, ...]


CATALOGUE: Final[tuple[ModelEntry, ...]] = (
    ModelEntry(
        name=SplineRidge.name,
        make=lambda _seed, _threads: SplineRidge(),
        load=SplineRidge.load,
        description="A smooth curve for each feature, added up: cubic B-splines under a ridge penalty.",
        kinds=("numpy",),
    ),
    ModelEntry(
        name=LightGBM.name,
        make=lambda seed, threads: LightGBM(seed, threads),
        load=LightGBM.load,
        description="Gradient-boosted trees with a Huber loss.",
        kinds=("lightgbm",),
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
