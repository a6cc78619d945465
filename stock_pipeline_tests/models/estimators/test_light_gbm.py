import os
from pathlib import Path

import numpy as np
import pytest
import shap

from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.estimators import lightgbm_trees
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.estimators.light_gbm import LightGBM
from stock_pipeline.models.estimators.trees import min_data_in_leaf
from stock_pipeline_tests.factories.samples import ONE_THREAD, made_up, saved_bytes


@pytest.mark.parametrize(("samples", "least"), [(50, 5), (1_250, 12), (90_000, 900), (500_000, 1000)])
def test_leaves_grow_with_the_panel(samples: int, least: int) -> None:
    assert min_data_in_leaf(samples) == least


def test_threads_do_not_change_the_trees_and_idle_ones_sleep() -> None:
    samples, y = made_up()
    scores = []
    for threads in (1, 2):
        model = LightGBM(Conditions(seed=1, threads=threads), trees=30)
        model.fit(samples, y)
        scores.append(model.predict(samples))
    assert np.array_equal(scores[0], scores[1])
    assert "OMP_WAIT_POLICY" in os.environ


def test_another_seed_sees_other_features() -> None:
    samples, y = made_up()
    models = [LightGBM(Conditions(seed=seed, threads=1), trees=5) for seed in (1, 2)]
    for model in models:
        model.fit(samples, y)
    assert not np.array_equal(models[0].predict(samples), models[1].predict(samples))


def test_few_samples_are_scored_by_one_thread() -> None:
    asked = []

    class Booster:
        def predict(self, x: np.ndarray, num_threads: int, **_: object) -> np.ndarray:
            asked.append(num_threads)
            return np.zeros(len(x))

    trees = lightgbm_trees.LightGBMTrees(Booster(), threads=4)
    for rows in (1, 999, 1000):
        trees.add_up(np.zeros((rows, 2), np.float32))
    assert asked == [1, 1, 4]


def test_contributions_are_those_of_tree_shap() -> None:
    samples, y = made_up()
    model = LightGBM(ONE_THREAD, trees=30)
    model.fit(samples, y)
    expected = shap.TreeExplainer(model._trees._booster).shap_values(samples.matrix()[:50])
    np.testing.assert_allclose(model.explain(samples.take(slice(0, 50))), expected, rtol=1e-5, atol=1e-12)
    nothing = samples.take(slice(0, 0))
    assert model.predict(nothing).shape == (0,) and model.explain(nothing).shape == (0, 6)


def test_a_loaded_model_is_the_fitted_one_and_equal_fits_give_equal_files(tmp_path: Path) -> None:
    samples, y = made_up()
    models = [LightGBM(ONE_THREAD, trees=20, learning_rate=0.1, huber_delta=0.2) for _ in range(2)]
    for model in models:
        model.fit(samples, y)
    first, second = (saved_bytes(model, tmp_path / name) for model, name in zip(models, "ab", strict=True))
    loaded = LightGBM.load(tmp_path / "a")
    assert first == second == saved_bytes(loaded, tmp_path / "c")
    assert loaded.parameters() == models[0].parameters() and loaded.conditions == ONE_THREAD and loaded.feature_names == samples.names
    assert loaded.parameters()["huber_delta"] == 0.2
    assert loaded.predict(samples).tolist() == models[0].predict(samples).tolist()


def test_it_says_why_it_leaves_the_gpu_alone() -> None:
    assert "LightGBM" in (model_entry("lightgbm").gpu_obstacle() or "")
    model = LightGBM(Conditions(seed=1, threads=1, device="cuda"), trees=3)
    samples, y = made_up()
    model.fit(samples, y)
    assert np.isfinite(model.predict(samples)).all()
