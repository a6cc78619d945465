import numpy as np
from scipy.interpolate import BSpline

from stock_pipeline.models.estimators import spline_ridge
from stock_pipeline.models.estimators.spline_ridge import SplineRidge


def test_the_closed_form_is_the_b_spline_of_the_textbook() -> None:
    x = np.linspace(-0.5, 0.5, 201, dtype=np.float32)
    basis = SplineRidge(knots=7)._basis(x[:, None])
    knots = -0.5 + np.arange(-3, 10) / 6
    expected = BSpline.design_matrix(np.clip(x.astype(np.float64), -0.5, 0.5 - 1e-12), knots, 3).toarray()
    np.testing.assert_allclose(basis, expected, atol=1e-9)


def test_the_splines_of_a_feature_sum_to_one_also_out_of_bounds() -> None:
    x = np.array([[-0.5, 0.5], [-3.0, 7.0], [0.123, 0.0]], dtype=np.float32)
    basis = SplineRidge()._basis(x).reshape(3, 9, 2)
    np.testing.assert_allclose(basis.sum(axis=1), 1.0, atol=1e-12)


def test_without_penalty_it_finds_smooth_curves() -> None:
    rng = np.random.default_rng(3)
    x = (rng.random((4000, 2)) - 0.5).astype(np.float32)
    truth = 2 + np.sin(3 * x[:, 0].astype(np.float64)) + x[:, 1].astype(np.float64) ** 2
    model = SplineRidge(penalty=1e-6)
    model.fit(x, truth, ["a", "b"])
    np.testing.assert_allclose(model.predict(x), truth, atol=1e-3)


def test_chunks_change_nothing_but_rounding(monkeypatch: object) -> None:
    rng = np.random.default_rng(3)
    x, y = (rng.random((500, 3)) - 0.5).astype(np.float32), rng.normal(size=500)
    whole, chunked = SplineRidge(), SplineRidge()
    whole.fit(x, y, ["a", "b", "c"])
    monkeypatch.setattr(spline_ridge, "CHUNK", 64)  # type: ignore[attr-defined]
    chunked.fit(x, y, ["a", "b", "c"])
    np.testing.assert_allclose(chunked.predict(x), whole.predict(x), rtol=1e-9)


def test_a_heavy_penalty_leaves_the_mean_alone() -> None:
    rng = np.random.default_rng(3)
    x, y = (rng.random((500, 2)) - 0.5).astype(np.float32), rng.normal(size=500) + 4
    model = SplineRidge(penalty=1e15)
    model.fit(x, y, ["a", "b"])
    np.testing.assert_allclose(model.predict(x), y.mean(), atol=1e-9)


def test_the_fit_is_the_ridge_of_the_centred_splines() -> None:
    rng = np.random.default_rng(3)
    x, y = (rng.random((300, 2)) - 0.5).astype(np.float32), rng.normal(size=300) + 4
    model = SplineRidge(knots=4, penalty=20.0)
    model.fit(x, y, ["a", "b"])
    basis = model._basis(x)
    centred = basis - basis.mean(axis=0)
    ridge = 20.0 * (centred**2).mean() * np.eye(centred.shape[1])
    expected = y.mean() + centred @ np.linalg.solve(centred.T @ centred + ridge, centred.T @ y)
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-9)
    # Centred over the training rows, so that a contribution tells how the row differs from the usual one.
    np.testing.assert_allclose(model.explain(x).mean(axis=0), 0.0, atol=1e-12)
