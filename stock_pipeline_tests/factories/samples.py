"""Made-up samples: features that are ranks within the session, and targets with a signal planted or none."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import NONE_BEFORE, Samples
from stock_pipeline.models.estimators.estimator import Conditions, Estimator

ONE_THREAD = Conditions(seed=7, threads=1)


def samples_of(x: NDArray[np.float32], sessions: int = 1) -> Samples:
    """The rows of ``x`` as samples, spread over ``sessions`` sessions of about the same size."""
    count = len(x)
    return Samples(
        names=tuple(f"f{i}" for i in range(x.shape[1])),
        x=x,
        session=(np.arange(count) * sessions // max(count, 1)).astype(np.int32),
        previous=np.full(count, NONE_BEFORE, dtype=np.int32),
        rows=np.arange(count),
    )


def made_up(
    symbols: int = 20, sessions: int = 60, features: int = 6, signal: float = 0.5, seed: int = 0
) -> tuple[Samples, NDArray[np.float64]]:
    """Samples, and targets that rise with the first feature and with the square of the second, of weight ``signal``."""
    rng = np.random.default_rng(seed)
    x = (rng.random((symbols * sessions, features)) - 0.5).astype(np.float32)
    score = signal * (x[:, 0] + 2 * x[:, 1].astype(np.float64) ** 2) + (1 - signal) * rng.normal(size=len(x)) / 4
    ranks = score.reshape(sessions, symbols).argsort(axis=1).argsort(axis=1)
    return samples_of(x, sessions), (ranks / (symbols - 1) - 0.5).ravel()


def saved_bytes(model: Estimator, folder: Path) -> dict[str, bytes]:
    """The files that the model writes, by name."""
    folder.mkdir()
    model.save(folder)
    return {file.name: file.read_bytes() for file in folder.iterdir()}
