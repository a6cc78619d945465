from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shap
import xgboost

from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.estimators import xgboost_trees
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.estimators.xg_boost import XGBoost
from stock_pipeline_tests.factories.samples import ONE_THREAD, made_up, samples_of, saved_bytes


def test_scores_and_contributions_are_the_librarys_own_and_tree_shaps() -> None:
    samples, y = made_up()
    # Zeros are values like any other, not missing ones.
    samples = samples_of(np.where(np.abs(samples.x) < 0.1, np.float32(0), samples.x))
    model = XGBoost(ONE_THREAD, trees=30)
    model.fit(samples, y)
    few = samples.take(slice(0, 50))
    assert np.array_equal(model.predict(samples), model._booster.inplace_predict(samples.matrix()).astype(np.float64))
    expected = shap.TreeExplainer(model._booster).shap_values(few.matrix())
    np.testing.assert_allclose(model.explain(few), expected, rtol=1e-5, atol=1e-7)
    rest = model.predict(few) - model.explain(few).sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-6)


def test_a_sample_scores_the_same_alone_out_of_order_and_after_others() -> None:
    samples, y = made_up()
    model = XGBoost(ONE_THREAD, trees=30)
    model.fit(samples, y)
    scores = model.predict(samples)
    some = np.array([3, 500, 7])
    kept = model.predict(samples.take(some[:1]))
    assert model.predict(samples.take(some)).tolist() == scores[some].tolist()
    assert kept.tolist() == scores[[3]].tolist()
    nothing = samples.take(slice(0, 0))
    assert model.predict(nothing).shape == (0,) and model.explain(nothing).shape == (0, 6)
    # An array that is no row after row in memory.
    assert model.predict(samples_of(np.asfortranarray(samples.x))).tolist() == scores.tolist()


def test_the_order_of_the_planted_signal_is_found() -> None:
    samples, y = made_up()
    fresh, truth = made_up(seed=1)
    model = XGBoost(ONE_THREAD)
    model.fit(samples, y)
    assert np.corrcoef(model.predict(fresh), truth)[0, 1] > 0.3
    weights = np.abs(model.explain(fresh)).mean(axis=0)
    assert set(np.argsort(-weights)[:2]) == {0, 1}


def test_a_loaded_model_is_the_fitted_one_and_equal_fits_give_equal_files(tmp_path: Path) -> None:
    samples, y = made_up()
    models = [XGBoost(ONE_THREAD, trees=20, learning_rate=0.1, max_depth=3) for _ in range(2)]
    for model in models:
        model.fit(samples, y)
    first, second = (saved_bytes(model, tmp_path / name) for model, name in zip(models, "ab", strict=True))
    loaded = XGBoost.load(tmp_path / "a")
    assert set(first) == {"trees.ubj", "settings.json"} and first == second == saved_bytes(loaded, tmp_path / "c")
    assert loaded.parameters() == models[0].parameters() and loaded.conditions == ONE_THREAD and loaded.feature_names == samples.names
    assert loaded.parameters()["max_depth"] == 3 and loaded.window == 1
    assert loaded.predict(samples).tolist() == models[0].predict(samples).tolist()
    other = XGBoost(Conditions(seed=8, threads=1), trees=20, learning_rate=0.1, max_depth=3)
    other.fit(samples, y)
    assert saved_bytes(other, tmp_path / "d")["trees.ubj"] != first["trees.ubj"]


@pytest.mark.parametrize(("with_cuda", "gpus", "says"), [(False, 1, "no CUDA"), (True, 0, "no GPU"), (True, 1, None)])
def test_what_stands_between_it_and_the_gpu(monkeypatch: pytest.MonkeyPatch, with_cuda: bool, gpus: int, says: str | None) -> None:
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": with_cuda})
    monkeypatch.setattr(xgboost_trees, "_gpus", lambda: gpus)
    for name in ("xgboost", "random_forest", "risk"):
        obstacle = model_entry(name).gpu_obstacle()
        assert obstacle is None if says is None else says in (obstacle or "")


@pytest.mark.parametrize(("device", "obstacle", "used"), [("cuda", None, "cuda"), ("cuda", "no CUDA", "cpu"), ("cpu", None, "cpu")])
def test_it_fits_on_the_gpu_where_nothing_stands_in_the_way(
    monkeypatch: pytest.MonkeyPatch, device: Any, obstacle: str | None, used: str
) -> None:
    asked, train = [], xgboost.train

    def watched(settings: dict[str, Any], *data: Any, **rest: Any) -> Any:
        asked.append(settings["device"])
        return train({**settings, "device": "cpu"}, *data, **rest)

    monkeypatch.setattr(xgboost, "train", watched)
    monkeypatch.setattr(xgboost_trees, "gpu_obstacle", lambda: obstacle)
    samples, y = made_up()
    model = XGBoost(Conditions(seed=1, threads=1, device=device), trees=2)
    model.fit(samples, y)
    assert asked == [used] and np.isfinite(model.predict(samples)).all()
