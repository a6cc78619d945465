import json
from pathlib import Path
from typing import Any

import numpy as np
import shap

from stock_pipeline.models.estimators.random_forest import RandomForest
from stock_pipeline_tests.factories.samples import ONE_THREAD, made_up, saved_bytes


def leaf_of(node: dict[str, Any], row: np.ndarray) -> dict[str, Any]:
    while "leaf" not in node:
        wanted = node["yes"] if row[int(node["split"][1:])] < np.float32(node["split_condition"]) else node["no"]
        node = next(child for child in node["children"] if child["nodeid"] == wanted)
    return node


def test_the_forest_is_the_mean_of_its_trees() -> None:
    samples, y = made_up()
    model = RandomForest(ONE_THREAD, trees=8, max_depth=3, subsample=1.0, features_by_node=0.5)
    model.fit(samples, y)
    trees = [json.loads(tree) for tree in model._booster.get_dump(dump_format="json")]
    x = samples.matrix()
    leaves = np.array([[leaf_of(tree, row)["nodeid"] for row in x] for tree in trees])
    assert len(trees) == 8 and len({tuple(tree) for tree in leaves}) > 1
    # Worked out from the targets alone: each tree sees every sample, and its ridge weighs as much as the smallest leaf.
    ridge, residual = 12, y - y.mean()
    means = np.zeros(len(y))
    for numbers in leaves:
        sums, sizes = np.bincount(numbers, residual), np.bincount(numbers)
        means += (sums / (sizes + ridge))[numbers] / len(trees)
        assert sizes[sizes > 0].min() >= ridge
    np.testing.assert_allclose(model.predict(samples), y.mean() + means, atol=1e-6)


def test_each_tree_sees_other_samples() -> None:
    samples, y = made_up(features=2)
    model = RandomForest(ONE_THREAD, trees=5, max_depth=1, features_by_node=1.0)
    model.fit(samples, y)
    assert len(set(model._booster.get_dump(dump_format="json"))) == 5


def test_contributions_are_those_of_tree_shap() -> None:
    samples, y = made_up()
    model = RandomForest(ONE_THREAD, trees=20)
    model.fit(samples, y)
    few = samples.take(slice(0, 50))
    expected = shap.TreeExplainer(model._booster).shap_values(few.matrix())
    np.testing.assert_allclose(model.explain(few), expected, rtol=1e-5, atol=1e-7)


def test_the_order_of_the_planted_signal_is_found() -> None:
    samples, y = made_up()
    fresh, truth = made_up(seed=1)
    model = RandomForest(ONE_THREAD)
    model.fit(samples, y)
    assert np.corrcoef(model.predict(fresh), truth)[0, 1] > 0.3


def test_a_loaded_model_is_the_fitted_one_and_equal_fits_give_equal_files(tmp_path: Path) -> None:
    samples, y = made_up()
    models = [RandomForest(ONE_THREAD, trees=10, max_depth=4, subsample=0.5, features_by_node=0.6) for _ in range(2)]
    for model in models:
        model.fit(samples, y)
    first, second = (saved_bytes(model, tmp_path / name) for model, name in zip(models, "ab", strict=True))
    loaded = RandomForest.load(tmp_path / "a")
    assert first == second == saved_bytes(loaded, tmp_path / "c")
    assert loaded.parameters() == models[0].parameters() and loaded.conditions == ONE_THREAD and loaded.feature_names == samples.names
    assert loaded.parameters()["subsample"] == 0.5 and loaded.parameters()["features_by_node"] == 0.6
    assert loaded.predict(samples).tolist() == models[0].predict(samples).tolist()
