from pathlib import Path

import numpy as np
import pytest

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.catalogue import model_entry
from stock_pipeline.models.estimators.direction_classifier import DirectionClassifier, _parts, platt
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


def test_platt_finds_the_line_that_made_the_outcomes() -> None:
    rng = np.random.default_rng(0)
    sums = 0.02 * rng.normal(size=200_000) + 3
    rose = (rng.random(len(sums)) < 1 / (1 + np.exp(-(40 * (sums - 3) - 0.4)))).astype(np.float64)
    line = platt(sums, rose)
    assert line is not None
    assert line.slope == pytest.approx(40, rel=0.03) and line.slope * 3 + line.intercept == pytest.approx(-0.4, abs=0.02)


def test_platt_is_at_the_foot_of_its_loss_and_smooths_its_targets() -> None:
    # Told apart without an error: only the smoothed targets keep the line from growing without bound.
    sums, rose = np.array([-2.0, -1.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    line = platt(sums, rose)
    assert line is not None
    wanted = np.where(rose == 1, 4 / 5, 1 / 4)
    miss = 1 / (1 + np.exp(-(line.slope * sums + line.intercept))) - wanted
    assert abs(miss.sum()) < 1e-6 and abs((miss * sums).sum()) < 1e-6


@pytest.mark.parametrize("sums", [np.array([3.0, 2.0, 1.0, 0.0]), np.ones(4)])
def test_platt_finds_no_line_where_sums_point_the_wrong_way_or_nowhere(sums: np.ndarray) -> None:
    assert platt(sums, np.array([0.0, 0.0, 1.0, 1.0])) is None


def test_worthless_trees_say_the_base_rate_and_explain_nothing() -> None:
    samples, y, _ = directions(weight=3.0, sessions=40, symbols=50)
    # The latest sessions turn everything round, so that what was learned before them is worse than nothing.
    late = samples.sessions >= 32
    y[late] = np.where(samples.x[late, 0] > 0, -0.5, 0.5)
    model = DirectionClassifier(ONE_THREAD, trees=20)
    model.fit(samples, y)
    np.testing.assert_allclose(model.predict(samples), (y > 0).mean() - 0.5, atol=1e-12)
    assert not model.explain(samples).any()


def test_the_last_fifth_of_the_sessions_calibrates_after_a_gap() -> None:
    sessions = np.repeat(np.arange(50, dtype=np.int32), 3)
    learning, calibrating = _parts(sessions, 7)
    assert set(sessions[learning]) == set(range(33)) and set(sessions[calibrating]) == set(range(40, 50))
    # 24 sessions leave four to calibrate; 25 leave five.
    assert [bool(part.any()) for part in _parts(np.arange(24, dtype=np.int32), 7)] == [False, False]
    assert [int(part.sum()) for part in _parts(np.arange(25, dtype=np.int32), 7)] == [13, 5]


def test_trees_that_are_judged_have_not_seen_the_judges_and_those_kept_have_seen_all(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, grow = [], LightGBMTrees.grow

    def watched(samples: Samples, *rest: object) -> LightGBMTrees:
        seen.append(set(samples.sessions.tolist()))
        return grow(samples, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(LightGBMTrees, "grow", watched)
    samples, y, _ = directions(weight=3.0, sessions=30, symbols=20)
    DirectionClassifier(ONE_THREAD, trees=3, gap_sessions=4).fit(samples, y)
    assert seen == [set(range(20)), set(range(30))]


def test_too_few_sessions_to_calibrate_give_the_base_rate() -> None:
    samples, y, _ = directions(weight=3.0, sessions=24, symbols=50)
    model = DirectionClassifier(ONE_THREAD, trees=5)
    model.fit(samples, y)
    np.testing.assert_allclose(model.predict(samples), (y > 0).mean() - 0.5, atol=1e-12)


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
