import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from stock_pipeline.core.columns import CONTRIBUTION, FEATURE, RANK, SESSION, SYMBOL, VALUE
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.explanations import EXPLAINED, IMPORTANCE, SAMPLE, SHARE, explain, explain_sample, importances, strongest
from stock_pipeline_tests.factories.stub_estimators import Stub
from stock_pipeline_tests.factories.training_panels import DAYS, FEATURES, ONE_THREAD, panel, samples_of

ROWS = panel(symbols=20, count=40)
SAMPLES = samples_of(ROWS)
WEIGHTS = np.arange(1.0, 7.0)


class Linear(Stub):
    """Adds so much times each feature."""

    def explain(self, samples: Samples) -> NDArray[np.float64]:
        return samples.matrix().astype(np.float64) * WEIGHTS


def test_every_feature_of_every_sample_has_its_contribution_and_its_value() -> None:
    which = np.array([3, 50, 790])
    found = explain(Linear(ONE_THREAD), ROWS, SAMPLES.take(which))
    assert found.schema == EXPLAINED
    assert found[FEATURE].to_list() == list(FEATURES) * 3
    expected = ROWS[which].select(SESSION, SYMBOL)
    assert found.select(SESSION, SYMBOL).unique(maintain_order=True).equals(expected)
    assert found[VALUE].to_list() == ROWS[which].select(FEATURES).to_numpy().ravel().tolist()
    np.testing.assert_allclose(found[CONTRIBUTION], (ROWS[which].select(FEATURES).to_numpy() * WEIGHTS).ravel(), rtol=1e-6)


def test_a_sample_is_drawn_by_the_seed_without_repeats_and_in_order() -> None:
    found, again, other = (explain_sample(Linear(ONE_THREAD), ROWS, SAMPLES, seed) for seed in (1, 1, 2))
    keys = found.select(SESSION, SYMBOL).unique(maintain_order=True)
    assert keys.height == SAMPLE and keys.equals(keys.sort(SESSION, SYMBOL))
    assert found.equals(again) and not found.equals(other)
    few = explain_sample(Linear(ONE_THREAD), ROWS, SAMPLES.take(slice(10, 17)), 1)
    assert few.equals(explain(Linear(ONE_THREAD), ROWS, SAMPLES.take(slice(10, 17))))


def test_a_model_that_cannot_tell_gives_no_row_of_the_same_columns() -> None:
    assert explain_sample(Stub(ONE_THREAD), ROWS, SAMPLES, 1).equals(pl.DataFrame(schema=EXPLAINED))


def explained(values: dict[str, list[float]]) -> pl.DataFrame:
    """Contributions of two stocks on one session, feature by feature."""
    rows = [(DAYS[0], f"S{i}", feature, held[i], 0.0) for i in range(2) for feature, held in values.items()]
    return pl.DataFrame(rows, schema=EXPLAINED, orient="row")


def test_importances_are_mean_sizes_and_their_shares() -> None:
    found = importances(explained({"a": [0.1, -0.1], "b": [0.0, 0.0], "c": [-0.4, 0.2]}))
    assert found[FEATURE].to_list() == ["c", "a", "b"]
    assert found[IMPORTANCE].to_list() == pytest.approx([0.3, 0.1, 0.0], abs=1e-6)
    assert found[SHARE].to_list() == pytest.approx([0.75, 0.25, 0.0], abs=1e-6)
    assert found[RANK].to_list() == [1, 2, 3]


def test_importances_of_nothing_are_zero_and_in_the_order_of_names() -> None:
    found = importances(explained({"b": [0.0, 0.0], "a": [0.0, 0.0]}))
    assert found.rows() == [("a", 0.0, 0.0, 1), ("b", 0.0, 0.0, 2)]
    assert importances(pl.DataFrame(schema=EXPLAINED)).is_empty()


def test_the_strongest_features_of_each_stock_come_in_order_whatever_their_sign() -> None:
    frame = explained({"a": [0.1, 0.3], "b": [-0.5, 0.2], "c": [0.2, -0.1]})
    found = strongest(frame, 2)
    assert found.select(SYMBOL, FEATURE, RANK).rows() == [("S0", "b", 1), ("S0", "c", 2), ("S1", "a", 1), ("S1", "b", 2)]
    assert strongest(frame.reverse(), 2).equals(found)
    assert strongest(frame, 9).height == 6
