import os

import numpy as np
import pytest

from stock_pipeline.datasets.training_panel import TARGET, matrix
from stock_pipeline.models.estimators.light_gbm import LightGBM, min_data_in_leaf
from stock_pipeline_tests.models.made_up import FEATURES, panel


@pytest.mark.parametrize(("rows", "least"), [(50, 5), (1_250, 12), (90_000, 900), (500_000, 1000)])
def test_leaves_grow_with_the_panel(rows: int, least: int) -> None:
    assert min_data_in_leaf(rows) == least


def test_threads_do_not_change_the_trees_and_idle_ones_sleep() -> None:
    rows = panel(symbols=20, count=60, signal=0.3)
    x, y = matrix(rows, FEATURES), rows[TARGET].to_numpy()
    scores = []
    for threads in (1, 2):
        model = LightGBM(seed=1, threads=threads, trees=30)
        model.fit(x, y, FEATURES)
        scores.append(model.predict(x))
    assert np.array_equal(scores[0], scores[1])
    assert "OMP_WAIT_POLICY" in os.environ


def test_another_seed_sees_other_features() -> None:
    rows = panel(symbols=20, count=60, signal=0.3)
    x, y = matrix(rows, FEATURES), rows[TARGET].to_numpy()
    models = [LightGBM(seed=seed, threads=1, trees=5) for seed in (1, 2)]
    for model in models:
        model.fit(x, y, FEATURES)
    assert not np.array_equal(models[0].predict(x), models[1].predict(x))
