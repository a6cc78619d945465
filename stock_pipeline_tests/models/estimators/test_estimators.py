"""What holds for every model of the catalogue."""

from pathlib import Path

import numpy as np
import pytest

from stock_pipeline.datasets.training_panel import TARGET, matrix
from stock_pipeline.models.catalogue import CATALOGUE, ModelEntry
from stock_pipeline.models.estimators.estimator import Estimator
from stock_pipeline_tests.models.made_up import FEATURES, panel

every_model = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


def fitted(entry: ModelEntry, signal: float = 0.3, symbols: int = 20) -> tuple[Estimator, np.ndarray]:
    rows = panel(symbols=symbols, count=60, signal=signal)
    x = matrix(rows, FEATURES)
    model = entry.make(7, 1)
    model.fit(x, rows[TARGET].to_numpy(), FEATURES)
    return model, x


@every_model
def test_contributions_and_a_constant_add_up_to_the_score(entry: ModelEntry) -> None:
    model, x = fitted(entry)
    contributions = model.explain(x)
    assert contributions is not None and contributions.shape == x.shape
    rest = model.predict(x) - contributions.sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-9)


@every_model
def test_contributions_point_at_the_features_that_matter(entry: ModelEntry) -> None:
    model, x = fitted(entry)
    contributions = model.explain(x)
    assert contributions is not None
    order = np.argsort(-np.abs(contributions).mean(axis=0))
    assert set(order[:2]) == {0, 1}


@every_model
def test_a_saved_model_says_the_same_and_saves_the_same_bytes(entry: ModelEntry, tmp_path: Path) -> None:
    model, x = fitted(entry)
    again, _ = fitted(entry)
    folders = [tmp_path / name for name in ("first", "again", "loaded")]
    for folder in folders:
        folder.mkdir()
    model.save(folders[0])
    again.save(folders[1])
    loaded = entry.load(folders[0])
    loaded.save(folders[2])
    contents = [{file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders]
    assert contents[0] == contents[1] == contents[2]
    assert loaded.feature_names == FEATURES and loaded.parameters() == model.parameters() and loaded.name == entry.name
    assert loaded.predict(x).tolist() == model.predict(x).tolist()


@every_model
def test_a_row_scores_the_same_alone_and_among_others(entry: ModelEntry) -> None:
    model, x = fitted(entry)
    np.testing.assert_allclose(model.predict(x[:3]), model.predict(x)[:3], rtol=1e-12)


@every_model
def test_five_stocks_and_constant_features_are_enough(entry: ModelEntry) -> None:
    model, _ = fitted(entry, symbols=5)
    flat = entry.make(7, 1)
    flat.fit(np.zeros((50, 2), np.float32), np.linspace(-0.5, 0.5, 50), ["a", "b"])
    assert np.isfinite(model.predict(np.zeros((1, 6), np.float32))).all()
    np.testing.assert_allclose(flat.predict(np.full((4, 2), 0.5, np.float32)), 0.0, atol=1e-9)


@every_model
def test_shapes_that_do_not_fit_are_refused(entry: ModelEntry) -> None:
    with pytest.raises(ValueError, match="cannot fit"):
        entry.make(7, 1).fit(np.zeros((5, 2), np.float32), np.zeros(5), ["a"])
    with pytest.raises(ValueError, match="cannot fit"):
        entry.make(7, 1).fit(np.zeros((0, 1), np.float32), np.zeros(0), ["a"])
