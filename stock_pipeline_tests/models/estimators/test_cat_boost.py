import json
from pathlib import Path
from typing import Any

import catboost
import catboost.utils
import numpy as np
import pytest
import shap

from stock_pipeline.models.estimators import cat_boost
from stock_pipeline.models.estimators.cat_boost import CatBoost
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.estimators.symmetric_trees import SymmetricTrees
from stock_pipeline_tests.factories.samples import ONE_THREAD, made_up, samples_of, saved_bytes


def test_scores_and_contributions_are_the_librarys_own_and_tree_shaps(tmp_path: Path) -> None:
    samples, y = made_up()
    # A constant feature before the others: CatBoost leaves it out, and the others must keep their places.
    samples = samples_of(np.concatenate([np.zeros((len(samples), 1), np.float32), samples.x], axis=1))
    model = CatBoost(ONE_THREAD, trees=30)
    model.fit(samples, y)
    model.save(tmp_path)
    theirs = catboost.CatBoost()
    theirs.load_model(str(tmp_path / "trees.json"), format="json")
    np.testing.assert_allclose(model.predict(samples), theirs.predict(samples.matrix()), atol=1e-14)
    few = samples.take(slice(0, 50))
    expected = shap.TreeExplainer(theirs).shap_values(few.matrix())
    np.testing.assert_allclose(model.explain(few), expected, rtol=1e-5, atol=1e-12)
    rest = model.predict(few) - model.explain(few).sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-12)


def test_a_sample_scores_the_same_alone_and_among_others() -> None:
    samples, y = made_up()
    model = CatBoost(ONE_THREAD, trees=30)
    model.fit(samples, y)
    scores = model.predict(samples)
    assert [model.predict(samples.take(np.array([i])))[0] for i in (0, 127, 128, 1199)] == scores[[0, 127, 128, 1199]].tolist()
    nothing = samples.take(slice(0, 0))
    assert model.predict(nothing).shape == (0,) and model.explain(nothing).shape == (0, 6)


def test_trees_of_unequal_depth_are_read_as_they_are() -> None:
    def tree(borders: list[float], leaves: list[float]) -> dict[str, Any]:
        return {"splits": [{"float_feature_index": 0, "border": border} for border in borders], "leaf_values": leaves}

    content = {
        "features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 1}]},
        "oblivious_trees": [tree([0.0], [1.0, 2.0]), tree([0.1, -0.1], [10.0, 20.0, 30.0, 40.0])],
        "scale_and_bias": [2.0, [0.5]],
    }
    x = np.array([[9, -0.2], [9, -0.1], [9, 0.0], [9, 0.1], [9, 0.2]], dtype=np.float32)
    # Beyond -0.1 but not 0.1 is the third leaf; on the border is not beyond it. The scale is the trees', not the constant's.
    assert SymmetricTrees.of(content).add_up(x).tolist() == [22.5, 22.5, 62.5, 64.5, 84.5]
    content["oblivious_trees"] = [tree([0.0] * 9, [0.0] * 512)]
    with pytest.raises(ValueError, match="asks 9 questions"):
        SymmetricTrees.of(content)


def test_a_loaded_model_is_the_fitted_one_and_equal_fits_give_equal_files(tmp_path: Path) -> None:
    samples, y = made_up()
    models = [CatBoost(ONE_THREAD, trees=20, learning_rate=0.1, depth=3) for _ in range(2)]
    for model in models:
        model.fit(samples, y)
    first, second = (saved_bytes(model, tmp_path / name) for model, name in zip(models, "ab", strict=True))
    loaded = CatBoost.load(tmp_path / "a")
    assert set(first) == {"trees.json", "settings.json"} and first == second == saved_bytes(loaded, tmp_path / "c")
    assert set(json.loads(first["trees.json"])) == {"features_info", "oblivious_trees", "scale_and_bias"}
    assert loaded.parameters() == models[0].parameters() and loaded.conditions == ONE_THREAD and loaded.feature_names == samples.names
    assert loaded.parameters()["depth"] == 3
    assert loaded.predict(samples).tolist() == models[0].predict(samples).tolist()
    few = samples.take(slice(0, 5))
    assert np.array_equal(loaded.explain(few), models[0].explain(few))


def test_a_second_fit_explains_itself_and_not_the_first() -> None:
    samples, y = made_up()
    model = CatBoost(ONE_THREAD, trees=5)
    model.fit(samples, y)
    before = model.explain(samples)
    model.fit(samples, -y)
    rest = model.predict(samples) - model.explain(samples).sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-12)
    assert not np.array_equal(model.explain(samples), before)


@pytest.mark.parametrize("flat", ["features", "targets"])
def test_where_nothing_can_be_learnt_it_says_the_mean(flat: str, tmp_path: Path) -> None:
    samples, y = made_up()
    if flat == "features":
        samples = samples_of(np.full(samples.x.shape, 0.25, np.float32))
        y = y + 0.1
    else:
        y = np.full(len(y), 0.1)
    model = CatBoost(ONE_THREAD)
    model.fit(samples, y)
    model.save(tmp_path)
    loaded = CatBoost.load(tmp_path)
    np.testing.assert_allclose(loaded.predict(samples), 0.1, atol=1e-12)
    assert not loaded.explain(samples).any() and loaded.explain(samples).shape == samples.x.shape


def test_fitting_writes_no_files_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    samples, y = made_up()
    model = CatBoost(ONE_THREAD, trees=3)
    model.fit(samples, y)
    model.explain(samples)
    assert list(tmp_path.iterdir()) == [] and capfd.readouterr().out == ""


def test_it_fits_on_the_gpu_where_there_is_one_and_one_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, real = [], catboost.CatBoost

    def watched(settings: dict[str, Any]) -> Any:
        asked.append(settings["task_type"])
        return real({**settings, "task_type": "CPU"})

    monkeypatch.setattr(catboost, "CatBoost", watched)
    samples, y = made_up()
    for gpus, device in ((1, "cuda"), (0, "cuda"), (1, "cpu")):
        monkeypatch.setattr(catboost.utils, "get_gpu_device_count", lambda gpus=gpus: gpus)
        assert (cat_boost.gpu_obstacle() is None) == (gpus == 1)
        CatBoost(Conditions(seed=1, threads=1, device=device), trees=2).fit(samples, y)  # type: ignore[arg-type]
    assert asked == ["GPU", "CPU", "CPU"]
