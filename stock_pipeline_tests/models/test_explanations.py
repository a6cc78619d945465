from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from stock_pipeline.core.columns import CONTRIBUTION, FEATURE, RANK, SCORE, SESSION, SYMBOL, TARGET, VALUE
from stock_pipeline.datasets.samples import Samples
from stock_pipeline.datasets.targets.neutralisation import neutralised
from stock_pipeline.models import explanations
from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.explanations import EXPLAINED, IMPORTANCE, SAMPLE, SHARE, explain, explain_sample, importances, strongest
from stock_pipeline.models.scoring import scored
from stock_pipeline_tests.factories.stub_estimators import Stub
from stock_pipeline_tests.factories.training_panels import DAYS, FEATURES, ONE_THREAD, panel, quick, samples_of

ROWS = panel(symbols=20, count=40)
SAMPLES = samples_of(ROWS)
WEIGHTS = np.arange(1.0, 7.0)
EXPOSURES = ("f0", "f4")


class Linear(Stub):
    """Adds so much times each feature."""

    def explain(self, samples: Samples) -> NDArray[np.float64]:
        return samples.matrix().astype(np.float64) * WEIGHTS


def test_every_feature_of_every_sample_has_its_contribution_and_its_value() -> None:
    which = np.array([3, 50, 790])
    found = explain(Linear(ONE_THREAD), ROWS, SAMPLES.take(which), ())
    assert found.schema == EXPLAINED
    assert found[FEATURE].to_list() == list(FEATURES) * 3
    expected = ROWS[which].select(SESSION, SYMBOL)
    assert found.select(SESSION, SYMBOL).unique(maintain_order=True).equals(expected)
    assert found[VALUE].to_list() == ROWS[which].select(FEATURES).to_numpy().ravel().tolist()
    np.testing.assert_allclose(found[CONTRIBUTION], (ROWS[which].select(FEATURES).to_numpy() * WEIGHTS).ravel(), rtol=1e-6)


def test_a_sample_is_drawn_by_the_seed_without_repeats_and_in_order() -> None:
    found, again, other = (explain_sample(Linear(ONE_THREAD), ROWS, SAMPLES, (), seed) for seed in (1, 1, 2))
    keys = found.select(SESSION, SYMBOL).unique(maintain_order=True)
    assert keys.height == SAMPLE and keys.equals(keys.sort(SESSION, SYMBOL))
    assert found.equals(again) and not found.equals(other)
    few = explain_sample(Linear(ONE_THREAD), ROWS, SAMPLES.take(slice(10, 17)), (), 1)
    assert few.equals(explain(Linear(ONE_THREAD), ROWS, SAMPLES.take(slice(10, 17)), ()))


@pytest.mark.parametrize("exposures", [(), EXPOSURES])
def test_a_model_that_cannot_tell_gives_no_row_of_the_same_columns(exposures: Sequence[str]) -> None:
    assert explain_sample(Stub(ONE_THREAD), ROWS, SAMPLES, exposures, 1).equals(pl.DataFrame(schema=EXPLAINED))


@pytest.mark.parametrize("name", ["spline_ridge", "lightgbm"])
def test_contributions_are_to_the_neutralised_score_though_few_stocks_of_a_session_are_explained(name: str) -> None:
    estimator = quick(model_entry(name)).make(ONE_THREAD)
    learned = panel(symbols=20, count=40, signal=0.5)
    estimator.fit(samples_of(learned), learned[TARGET].to_numpy())
    found = explain(estimator, ROWS, SAMPLES.take(np.arange(0, len(SAMPLES), 7)), EXPOSURES)
    scores = scored(ROWS, estimator.predict(SAMPLES), EXPOSURES)
    told = found.group_by(SESSION, SYMBOL).agg(pl.col(CONTRIBUTION).cast(pl.Float64).sum()).join(scores, on=[SESSION, SYMBOL])
    rest = told.group_by(SESSION).agg((pl.col(SCORE) - pl.col(CONTRIBUTION)).alias("rest"))
    spread = rest.select((pl.col("rest").list.max() - pl.col("rest").list.min()).max()).item()
    assert told.height == 115 and spread < 1e-4 * told[SCORE].std()  # type: ignore[operator]
    # Each column by itself, neutralised as a target is.
    raw = estimator.explain(SAMPLES)
    assert raw is not None
    for place, feature in enumerate(FEATURES):
        rows = ROWS.with_columns(pl.Series("raw", raw[:, place]))
        expected = 0.75 * rows["raw"] + 0.25 * neutralised(rows, "raw", EXPOSURES)["raw"]
        np.testing.assert_allclose(found.filter(pl.col(FEATURE) == feature)[CONTRIBUTION], expected.gather_every(7), atol=1e-7)
    assert not np.allclose(found[CONTRIBUTION], raw[::7].ravel(), atol=1e-5)


def test_a_neutralised_sample_is_of_as_many_whole_sessions_as_may_be_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[int]()

    class Counting(Linear):
        def explain(self, samples: Samples) -> NDArray[np.float64]:
            seen.append(len(samples))
            return super().explain(samples)

    monkeypatch.setattr(explanations, "MOST_EXPLAINED", 110)
    labelled = SAMPLES.take(np.arange(len(SAMPLES)) % 20 != 3)  # the fourth stock's outcome is never known
    found, again, other = (explain_sample(Counting(ONE_THREAD), ROWS, labelled, EXPOSURES, seed) for seed in (1, 1, 2))
    assert seen == [100] * 3  # five sessions of twenty stocks
    keys = found.select(SESSION, SYMBOL).unique(maintain_order=True)
    assert (keys[SESSION].n_unique(), keys.height, "S03" in keys[SYMBOL]) == (5, 95, False)
    assert found.equals(again) and not found.equals(other)
    monkeypatch.setattr(explanations, "MOST_EXPLAINED", 10)
    assert explain_sample(Linear(ONE_THREAD), ROWS, SAMPLES, EXPOSURES, 1)[SESSION].n_unique() == 1


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
