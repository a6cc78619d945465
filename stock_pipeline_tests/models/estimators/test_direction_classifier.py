from pathlib import Path

import numpy as np
import pytest

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.estimators.direction_classifier import DirectionClassifier, _blocks
from stock_pipeline.models.estimators.lightgbm_trees import LightGBMTrees
from stock_pipeline_tests.factories.samples import ONE_THREAD, samples_of, saved_bytes


def directions(
    weight: float, base: float = 0.0, sessions: int = 100, symbols: int = 100, seed: int = 0
) -> tuple[Samples, np.ndarray, np.ndarray]:
    """Samples, their directions, and the true probabilities: log-odds of a rise are ``base`` + ``weight`` times the first feature."""
    rng = np.random.default_rng(seed)
    x = (rng.random((sessions * symbols, 4)) - 0.5).astype(np.float32)
    p = 1 / (1 + np.exp(-base - weight * x[:, 0].astype(np.float64)))
    return samples_of(x, sessions), np.where(rng.random(len(x)) < p, 0.5, -0.5), p


def test_probabilities_match_frequencies_where_a_signal_is_planted() -> None:
    samples, y, _ = directions(weight=4.0, base=0.3)
    fresh, truth, p = directions(weight=4.0, base=0.3, seed=1)
    model = DirectionClassifier(ONE_THREAD)
    model.fit(samples, y)
    said = model.predict(fresh) + 0.5
    assert np.corrcoef(said, p)[0, 1] > 0.95
    for bin_ in np.array_split(np.argsort(said), 8):
        rose, expected = (truth[bin_] > 0).mean(), said[bin_].mean()
        assert abs(rose - expected) < 3.5 * np.sqrt(expected * (1 - expected) / len(bin_))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise_is_called_near_the_base_rate(seed: int) -> None:
    samples, y, _ = directions(weight=0.0, base=0.5, seed=seed)
    model = DirectionClassifier(ONE_THREAD)
    model.fit(samples, y)
    fresh, _, _ = directions(weight=0.0, seed=9)
    base_rate = (y > 0).mean()
    assert np.abs(model.predict(fresh) + 0.5 - base_rate).mean() < 0.02


def test_trees_that_prove_worthless_say_the_base_rate_and_explain_nothing() -> None:
    samples, y, _ = directions(weight=3.0, sessions=80, symbols=50)
    # Every other quarter of the sessions turns what was true in the others round, so that what is learned from them is worse than nothing.
    turned = samples.sessions // 20 % 2 == 1
    y[turned] = -y[turned]
    model = DirectionClassifier(ONE_THREAD, trees=20)
    model.fit(samples, y)
    np.testing.assert_allclose(model.predict(samples), (y > 0).mean() - 0.5, atol=1e-12)
    assert not model.explain(samples).any()


def test_a_weak_order_of_stocks_is_kept_on_a_short_history_although_the_market_moves_them_together() -> None:
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = (rng.random((120 * 50, 4)) - 0.5).astype(np.float32)
        x[:, 3] = np.repeat(x[::50, 3], 50)  # the same for all stocks of a session, as the market's regime is
        odds = 0.7 * x[:, 0].astype(np.float64) + np.repeat(1.5 * rng.normal(size=120), 50)
        model = DirectionClassifier(ONE_THREAD, trees=50)
        model.fit(samples_of(x, 120), np.where(rng.random(len(x)) < 1 / (1 + np.exp(-odds)), 0.5, -0.5))
        fresh, _, _ = directions(weight=0.0, seed=9)
        said = model.predict(fresh)
        found.append(np.corrcoef(said, fresh.matrix()[:, 0])[0, 1] if np.ptp(said) else 0.0)
    assert min(found) > 0.1


def test_every_quarter_of_the_sessions_calibrates_by_trees_that_learned_from_the_others_beyond_a_gap() -> None:
    sessions = np.repeat(np.arange(48, dtype=np.int32), 3)
    parts = [(set(sessions[learning]), set(sessions[own])) for learning, own in _blocks(sessions, 5)]
    assert [own for _, own in parts] == [set(range(first, first + 12)) for first in (0, 12, 24, 36)]
    learned = [[*range(17, 48)], [*range(7), *range(29, 48)], [*range(19), *range(41, 48)], [*range(31)]]
    assert [learning for learning, _ in parts] == [set(days) for days in learned]
    # The gap is so long that the middle quarters leave too little to learn from.
    assert [min(own) for own in (set(sessions[own]) for _, own in _blocks(sessions, 16))] == [0, 36]
    assert not list(_blocks(sessions, 40))


def test_trees_that_are_judged_have_not_seen_the_judges_and_those_kept_have_seen_all(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, grow = [], LightGBMTrees.grow

    def watched(samples: Samples, *rest: object) -> LightGBMTrees:
        seen.append(set(samples.sessions.tolist()))
        return grow(samples, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(LightGBMTrees, "grow", watched)
    samples, y, _ = directions(weight=3.0, sessions=40, symbols=20)
    DirectionClassifier(ONE_THREAD, trees=3, gap_sessions=4).fit(samples, y)
    assert seen[0] == set(range(40)) and len(seen) == 5
    assert seen[1:] == [set(range(40)) - set(range(first - 4, first + 14)) for first in (0, 10, 20, 30)]


def test_too_few_sessions_to_calibrate_give_the_base_rate() -> None:
    samples, y, _ = directions(weight=3.0, sessions=19, symbols=50)
    model = DirectionClassifier(ONE_THREAD, trees=5, gap_sessions=1)
    model.fit(samples, y)
    np.testing.assert_allclose(model.predict(samples), (y > 0).mean() - 0.5, atol=1e-12)
    longer, y, _ = directions(weight=3.0, sessions=20, symbols=50)
    model.fit(longer, y)
    assert np.ptp(model.predict(longer)) > 0.05


def test_contributions_add_up_in_log_odds() -> None:
    samples, y, _ = directions(weight=3.0, sessions=40, symbols=50)
    model = DirectionClassifier(ONE_THREAD, trees=20)
    model.fit(samples, y)
    p = model.predict(samples) + 0.5
    contributions = model.explain(samples)
    rest = np.log(p / (1 - p)) - contributions.sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-9)
    assert np.abs(contributions).mean(axis=0).argmax() == 0 and np.ptp(p) > 0.2


def test_one_class_and_other_targets_are_refused() -> None:
    samples, y, _ = directions(weight=3.0, sessions=5, symbols=10)
    model = DirectionClassifier(ONE_THREAD)
    with pytest.raises(ValueError, match=r"all 50 targets are 0\.5, so there is one class only"):
        model.fit(samples, np.full(50, 0.5))
    y[7] = 0.1
    with pytest.raises(ValueError, match=r"1 of 50 targets are neither .* the first is 0\.1 at place 7"):
        model.fit(samples, y)


def test_a_loaded_model_is_the_fitted_one_and_equal_fits_give_equal_files(tmp_path: Path) -> None:
    samples, y, _ = directions(weight=3.0, sessions=40, symbols=50)
    models = [DirectionClassifier(ONE_THREAD, trees=10, learning_rate=0.1, gap_sessions=3) for _ in range(2)]
    for model in models:
        model.fit(samples, y)
    first, second = (saved_bytes(model, tmp_path / name) for model, name in zip(models, "ab", strict=True))
    loaded = DirectionClassifier.load(tmp_path / "a")
    assert first == second == saved_bytes(loaded, tmp_path / "c")
    assert loaded.parameters() == models[0].parameters() and loaded.conditions == ONE_THREAD and loaded.feature_names == samples.names
    assert loaded.parameters()["gap_sessions"] == 3
    assert np.ptp(loaded.predict(samples)) > 0 and loaded.predict(samples).tolist() == models[0].predict(samples).tolist()
    assert "LightGBM" in (model_entry("direction").gpu_obstacle() or "")
