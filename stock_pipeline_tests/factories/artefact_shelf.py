"""Artefacts of base models and of the stack of two of them, written into a folder as trainings write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from stock_pipeline.core.columns import (
    MODEL,
    RETURN_SCALE,
    SESSION,
    SYMBOL,
    TARGET,
    TRAINING_ID,
    VERSION,
    VOLATILITY_EXPONENT,
    VOLATILITY_FACTOR,
)
from stock_pipeline.datasets.catalogue import RETURN_KIND
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.features.catalogue import hash_features
from stock_pipeline.models.artefacts import Saveable, write_artefact
from stock_pipeline.models.catalogue import STACK, model_entry
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline.models.manifest import Manifest
from stock_pipeline.models.reading import load_estimator
from stock_pipeline.models.stacking import StackedModel
from stock_pipeline_tests.factories.training_panels import FEATURES, ONE_THREAD, panel, quick

AS_OF = date(2012, 6, 1)
PANEL = panel(symbols=20, count=60, signal=1.0)
INPUTS = PANEL.select(SESSION, SYMBOL, *FEATURES)
NIGHT = INPUTS.filter(pl.col(SESSION) == pl.col(SESSION).max())
LAST: date = NIGHT[SESSION][0]
EXPOSED = ("f2", "f3")
WEIGHTS = {"spline_ridge": 0.7, "n_hits": 0.3}  # the second looks at four sessions
OTHERS, SCALE = ("lightgbm", "risk", "direction"), 0.02
CALIBRATED = {**{name: {RETURN_SCALE: SCALE} for name in WEIGHTS}, "risk": {VOLATILITY_FACTOR: 1.2, VOLATILITY_EXPONENT: 0.95}}


@dataclass(frozen=True)
class Shelf:
    """A folder of artefacts: base models and the stack of two of them, and the row that the registry gives of each."""

    root: Path
    rows: Mapping[str, Mapping[str, object]]

    @property
    def recorded(self) -> dict[str, str]:
        """The hash of each artefact's manifest, by its training."""
        return {str(row[TRAINING_ID]): str(row["sha256"]) for row in self.rows.values()}

    def estimator(self, name: str) -> Estimator:
        """The base model, loaded."""
        return load_estimator(self.root / str(self.rows[name]["artefact"]))


def filled_shelf(root: Path) -> Shelf:
    """Write the artefacts of every model and of the stack into a folder."""
    rows = {name: put(root, fitted(name), name, EXPOSED if name not in ("risk", "direction") else ()) for name in (*WEIGHTS, *OTHERS)}
    stacked = StackedModel(WEIGHTS, {name: str(rows[name][TRAINING_ID]) for name in WEIGHTS}, 0.3)
    return Shelf(root, {**rows, STACK: put(root, stacked, STACK)})


def fitted(name: str) -> Estimator:
    """A base model, quickly fitted to the panel."""
    entry = quick(model_entry(name))
    learned = panel(symbols=20, count=60, signal=1.0, kind=entry.target)
    estimator = entry.make(ONE_THREAD)
    estimator.fit(Samples.of(learned, FEATURES), learned[TARGET].to_numpy())
    return estimator


def put(root: Path, model: Saveable, name: str, exposures: Sequence[str] = ()) -> dict[str, object]:
    """Write an artefact; returns the row that the registry gives of it."""
    manifest = Manifest(
        model=name,
        training_id=f"{name}_1",
        as_of=AS_OF,
        train_from=AS_OF,
        train_to=AS_OF,
        features=FEATURES,
        features_hash=hash_features(FEATURES),
        rows=PANEL.height,
        parameters={},
        metrics=CALIBRATED.get(name, {}),
        seed=1,
        threads=1,
        code_version="1",
        target=(RETURN_KIND if name == STACK else model_entry(name).target).name,
        exposures=tuple(exposures),
    )
    artefact = write_artefact(root, model, manifest)
    return {MODEL: name, VERSION: 3, TRAINING_ID: f"{name}_1", "artefact": artefact.path.as_posix(), "sha256": artefact.sha256}
