"""What holds for every model of the catalogue."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stock_pipeline.core.columns import TARGET
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.catalogue import CATALOGUE, ModelEntry, model_entry
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline_tests.factories.samples import ONE_THREAD, saved_bytes
from stock_pipeline_tests.factories.samples import samples_of as samples_of_array
from stock_pipeline_tests.factories.training_panels import FEATURES, panel, quick, samples_of

NAMES = tuple(entry.name for entry in CATALOGUE)
# They have no exact contributions, or compute them in single precision.
UNEXPLAINED = {"mlp", "n_hits", "patch_tst"}
SINGLE_PRECISION = {"xgboost", "random_forest", "risk"}
# Where there is nothing to tell samples apart, what a model says is their mean, or the mean of those that it happened to draw.
NEAR_THE_MEAN = {"random_forest": 0.1, "risk": 0.1, "xgboost": 1e-6, "mlp": 0.01, "n_hits": 0.01, "patch_tst": 0.01}

every_model = pytest.mark.parametrize("name", NAMES)
every_explained = pytest.mark.parametrize("name", [name for name in NAMES if name not in UNEXPLAINED])


def entry_of(name: str) -> ModelEntry:
    return quick(model_entry(name), most_samples=3000)


def fit(name: str, symbols: int = 20) -> tuple[Estimator, Samples]:
    entry = entry_of(name)
    rows = panel(symbols=symbols, count=60, signal=1.0, kind=entry.target)
    samples = samples_of(rows)
    model = entry.make(ONE_THREAD)
    model.fit(samples, rows[TARGET].to_numpy())
    return model, samples


fitted = cache(fit)


@every_model
def test_a_model_says_so_where_it_cannot_tell_what_features_add(name: str) -> None:
    model, samples = fitted(name)
    assert (model.explain(samples) is None) == (name in UNEXPLAINED)


@every_explained
def test_contributions_and_a_constant_add_up_to_the_score(name: str) -> None:
    model, samples = fitted(name)
    contributions, score = model.explain(samples), model.predict(samples)
    assert contributions is not None and contributions.shape == samples.matrix().shape
    # The classifier's contributions are in log-odds.
    said = np.log((0.5 + score) / (0.5 - score)) if name == "direction" else score
    rest = said - contributions.sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-6 if name in SINGLE_PRECISION else 1e-9)
    assert said.std() > 1e-3


@every_explained
def test_contributions_point_at_the_features_that_matter(name: str) -> None:
    model, samples = fitted(name)
    contributions = model.explain(samples)
    assert contributions is not None
    order = np.argsort(-np.abs(contributions).mean(axis=0))
    assert set(order[:2]) == {0, 1}


@every_model
def test_a_saved_model_says_the_same_and_saves_the_same_bytes(name: str, tmp_path: Path) -> None:
    model, samples = fitted(name)
    again, _ = fit(name)
    first = saved_bytes(model, tmp_path / "first")
    loaded = entry_of(name).load(tmp_path / "first")
    assert first == saved_bytes(again, tmp_path / "again") == saved_bytes(loaded, tmp_path / "loaded")
    assert loaded.feature_names == FEATURES and loaded.parameters() == model.parameters() and loaded.window == model.window
    assert loaded.predict(samples).tolist() == model.predict(samples).tolist()


@every_explained
def test_a_saved_model_explains_the_same(name: str, tmp_path: Path) -> None:
    model, samples = fitted(name)
    model.save(tmp_path)
    few = samples.take(slice(0, 50))
    contributions = [one.explain(few) for one in (model, entry_of(name).load(tmp_path))]
    assert contributions[0] is not None and contributions[1] is not None
    assert contributions[0].tolist() == contributions[1].tolist()


@every_model
def test_a_row_scores_the_same_alone_and_among_others(name: str) -> None:
    model, samples = fitted(name)
    which = np.array([3, 400, 1199])
    among = model.predict(samples)[which]
    assert len(set(among.tolist())) > 1
    precision = 1e-5 if name in UNEXPLAINED else 1e-12
    np.testing.assert_allclose(model.predict(samples.take(which)), among, rtol=precision, atol=precision / 100)
    alone = [model.predict(samples.take(np.array([row])))[0] for row in which]
    np.testing.assert_allclose(alone, among, rtol=precision, atol=precision / 100)
    assert model.predict(samples.take(slice(0, 0))).shape == (0,)


def flat_targets(name: str) -> NDArray[np.float64]:
    return np.tile([-0.5, 0.5], 25) if name == "direction" else np.linspace(-0.5, 0.5, 50)


@every_model
def test_five_stocks_and_constant_features_are_enough(name: str) -> None:
    model, samples = fit(name, symbols=5)
    assert np.isfinite(model.predict(samples)).all()
    flat = entry_of(name).make(ONE_THREAD)
    flat.fit(samples_of_array(np.zeros((50, 2), np.float32), sessions=10), flat_targets(name))
    said = flat.predict(samples_of_array(np.zeros((4, 2), np.float32)))
    np.testing.assert_allclose(said, said[0], atol=1e-7)
    assert abs(said[0]) < NEAR_THE_MEAN.get(name, 1e-9)


@every_model
def test_shapes_that_do_not_fit_and_targets_that_are_none_are_refused(name: str) -> None:
    samples, y = samples_of_array(np.zeros((6, 2), np.float32)), flat_targets(name)
    for few, targets in ((samples, y[:5]), (samples.take(slice(0, 0)), y[:0])):
        with pytest.raises(ValueError, match="cannot fit on"):
            entry_of(name).make(ONE_THREAD).fit(few, targets)
    with pytest.raises(ValueError, match="1 of 6 targets are not finite"):
        entry_of(name).make(ONE_THREAD).fit(samples, np.array([*y[:5], np.nan]))
