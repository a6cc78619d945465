"""Made-up training panels: noise, or a signal planted in known features."""

import numpy as np
import polars as pl

from stock_pipeline.core.columns import FORWARD_RETURN, SESSION, SYMBOL
from stock_pipeline.datasets.training_panel import model_inputs, training_panel
from stock_pipeline_tests.panels import sessions

FEATURES = ("f0", "f1", "f2", "f3", "f4", "f5")
REACH = 2


def panel(symbols: int = 30, count: int = 150, signal: float = 0.0, seed: int = 0) -> pl.DataFrame:
    """A training panel of six features. ``signal`` is the weight of f0 (rising) and of f1 squared (a U) in the outcome."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, symbols, len(FEATURES)))
    outcome = rng.normal(size=(count, symbols)) + signal * (values[:, :, 0] + values[:, :, 1] ** 2)
    # A level that all stocks of a session share must make no difference.
    market = rng.normal(size=(count, 1))
    key = {
        SYMBOL: [f"S{i:02d}" for i in range(symbols)] * count,
        SESSION: [day for day in sessions(count) for _ in range(symbols)],
    }
    columns = {name: (values[:, :, j] + market).ravel() for j, name in enumerate(FEATURES)}
    features = pl.DataFrame({**key, **columns})
    labels = pl.DataFrame({**key, FORWARD_RETURN: 0.01 * (outcome + market).ravel()})
    return training_panel(model_inputs(features, FEATURES, {}), labels, FEATURES)
