from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import BSpline
from threadpoolctl import threadpool_info

from stock_pipeline.models.estimators import spline_ridge
from stock_pipeline.models.estimators.spline_ridge import SplineRidge, splines
from stock_pipeline_tests.factories.samples import ONE_THREAD, made_up, samples_of, saved_bytes


def uniform(rows: int, features: int) -> np.ndarray:
    return (np.random.default_rng(3).random((rows, features)) - 0.5).astype(np.float32)


def test_the_closed_form_is_the_b_spline_of_the_textbook() -> None:
    x = np.linspace(-0.5, 0.5, 201, dtype=np.float32)
    knots = -0.5 + np.arange(-3, 10) / 6
    expected = BSpline.design_matrix(np.clip(x.astype(np.float64), -0.5, 0.5 - 1e-12), knots, 3).toarray()
    np.testing.assert_allclose(splines(x[:, None], 7), expected, atol=2e-6)


def test_the_splines_of_a_feature_sum_to_one_also_out_of_bounds() -> None:
    x = np.array([[-0.5, 0.5], [-3.0, 7.0], [0.123, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(splines(x, 7).reshape(3, 9, 2).sum(axis=1), 1.0, atol=1e-6)


def test_with_hardly_a_penalty_it_finds_smooth_curves() -> None:
    x = uniform(4000, 2)
    truth = 2 + np.sin(3 * x[:, 0].astype(np.float64)) + x[:, 1].astype(np.float64) ** 2
    model = SplineRidge(ONE_THREAD, penalty=0.01)
    model.fit(samples_of(x), truth)
    np.testing.assert_allclose(model.predict(samples_of(x)), truth, atol=1e-3)


def test_a_score_is_the_splines_times_their_coefficients_also_out_of_bounds() -> None:
    x = np.concatenate([uniform(300, 2), [[-0.5, 0.5], [-3.0, 7.0], [0.5, -0.5]]]).astype(np.float32)
    model = SplineRidge(ONE_THREAD, knots=5, penalty=10.0)
    model.fit(samples_of(x), np.random.default_rng(4).normal(size=len(x)))
    expected = splines(x, 5) @ model._coefficients.ravel() + model._intercept - np.sum(model._coefficients * model._means)
    np.testing.assert_allclose(model.predict(samples_of(x)), expected, atol=1e-5)


def test_chunks_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, y = samples_of(uniform(500, 3)), np.random.default_rng(3).normal(size=500)
    whole, chunked = SplineRidge(ONE_THREAD), SplineRidge(ONE_THREAD)
    whole.fit(samples, y)
    expected = whole.predict(samples)
    monkeypatch.setattr(spline_ridge, "CHUNK", 64)
    chunked.fit(samples, y)
    np.testing.assert_allclose(chunked.predict(samples), expected, rtol=1e-6)


def test_a_heavy_penalty_leaves_the_mean_alone() -> None:
    samples, y = samples_of(uniform(500, 2)), np.random.default_rng(3).normal(size=500) + 4
    model = SplineRidge(ONE_THREAD, penalty=1e15)
    model.fit(samples, y)
    np.testing.assert_allclose(model.predict(samples), y.mean(), atol=1e-9)


@pytest.mark.parametrize(("penalty", "tolerance"), [(20.0, 1e-3), (100_000.0, 1e-5)])
def test_the_fit_is_the_ridge_of_the_centred_splines_in_double_precision(penalty: float, tolerance: float) -> None:
    samples, y = samples_of(uniform(20_000, 3)), np.random.default_rng(3).normal(size=20_000) + 4
    model = SplineRidge(ONE_THREAD, knots=4, penalty=penalty)
    model.fit(samples, y)
    basis = splines(samples.x, 4).astype(np.float64)
    centred = basis - basis.mean(axis=0)
    ridge = penalty * (centred**2).mean() * np.eye(centred.shape[1])
    expected = y.mean() + centred @ np.linalg.solve(centred.T @ centred + ridge, centred.T @ y)
    # Against the spread of the scores, not against the mean that they are spread around.
    assert np.abs(model.predict(samples) - expected).max() < tolerance * expected.std()
    # Centred over the training samples, so that a contribution tells how the sample differs from the usual one.
    np.testing.assert_allclose(model.explain(samples).mean(axis=0), 0.0, atol=1e-7)


def test_constant_features_say_the_mean_wherever_they_go() -> None:
    model = SplineRidge(ONE_THREAD)
    model.fit(samples_of(np.zeros((50, 2), np.float32)), np.linspace(-0.5, 0.5, 50))
    np.testing.assert_allclose(model.predict(samples_of(np.full((4, 2), 0.5, np.float32))), 0.0, atol=1e-9)


def test_the_gram_is_added_up_by_one_thread_and_the_others_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    seen, before = [], threads()

    def watched(x: np.ndarray, knots: int) -> np.ndarray:
        seen.append(threads())
        return splines(x, knots)

    monkeypatch.setattr(spline_ridge, "splines", watched)
    SplineRidge(ONE_THREAD).fit(samples_of(uniform(10, 2)), np.arange(10.0))
    assert seen == [[1] * len(before)] and threads() == before


def test_a_loaded_model_is_the_fitted_one(tmp_path: Path) -> None:
    samples, y = made_up()
    model = SplineRidge(ONE_THREAD, knots=5, penalty=300.0)
    model.fit(samples, y)
    content = saved_bytes(model, tmp_path / "a")
    loaded = SplineRidge.load(tmp_path / "a")
    assert content == saved_bytes(loaded, tmp_path / "b")
    assert loaded.parameters() == {"knots": 5, "penalty": 300.0} and loaded.conditions == ONE_THREAD
    assert loaded.feature_names == samples.names and loaded.predict(samples).tolist() == model.predict(samples).tolist()
    assert "NumPy" in (spline_ridge.gpu_obstacle() or "")
