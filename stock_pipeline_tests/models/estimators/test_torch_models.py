"""What holds for every network: MLP, N-HiTS and PatchTST."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from stock_pipeline.datasets.samples import Samples
from stock_pipeline.models.estimators import torch_model, torch_training
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.estimators.mlp import MLP
from stock_pipeline.models.estimators.n_hits import NHiTS
from stock_pipeline.models.estimators.patch_tst import PatchTST
from stock_pipeline.models.estimators.threads import sleep_when_idle
from stock_pipeline.models.estimators.torch_model import TorchModel
from stock_pipeline.models.estimators.torch_training import Training

ONE = Conditions(seed=7, threads=1)
FILES = ("network.json", "weights.safetensors")
Make = Callable[[Conditions], TorchModel]


def mlp(conditions: Conditions = ONE) -> MLP:
    return MLP(conditions, members=2, hidden=16, most_epochs=8, learning_rate=0.01, weight_decay=0.1)


def n_hits(conditions: Conditions = ONE) -> NHiTS:
    return NHiTS(conditions, window=6, pooling=(3, 1), ratios=(0.3, 1.0), hidden=16, most_epochs=6, learning_rate=0.01, weight_decay=0.1)


def patch_tst(conditions: Conditions = ONE) -> PatchTST:
    return PatchTST(conditions, window=6, patch=3, width=8, most_epochs=6, learning_rate=0.01, weight_decay=0.1)


@pytest.fixture(params=[mlp, n_hits, patch_tst])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def samples(sessions: int = 40, stocks: int = 50, features: int = 4, seed: int = 3) -> Samples:
    """Each stock in each session, its features drawn without memory, so that only a window tells what was before."""
    rows = sessions * stocks
    previous = np.arange(rows, dtype=np.int32) - stocks
    return Samples(
        names=tuple(f"feature_{number}" for number in range(features)),
        x=np.random.default_rng(seed).random((rows, features), dtype=np.float32) - np.float32(0.5),
        session=np.repeat(np.arange(sessions, dtype=np.int32), stocks),
        previous=np.maximum(previous, -1).astype(np.int32),
        rows=np.arange(rows, dtype=np.int64),
    )


def outcome(given: Samples, back: int = 0) -> NDArray[np.float64]:
    """The first feature so many sessions ago, among noise of the same size; 0 where there was no such session."""
    signal = given.windows(back + 1)[:, 0, 0].astype(np.float64)
    return signal + np.random.default_rng(11).normal(scale=0.3, size=len(given))


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(np.corrcoef(first.argsort().argsort(), second.argsort().argsort())[0, 1])


def files_of(model: TorchModel, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    model.save(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Two thousand samples give fifty steps an epoch by default, which is more than these signals need.
    monkeypatch.setattr(torch_training, "STEPS_OF_AN_EPOCH", 10)
    yield


def test_a_signal_of_the_latest_session_is_found_in_fresh_samples(make: Make) -> None:
    given, fresh = samples(), samples(seed=4)
    model = make(ONE)
    model.fit(given, outcome(given))
    assert model.feature_names == given.names
    assert rank_correlation(model.predict(fresh), fresh.x[:, 0].astype(np.float64)) > 0.8


@pytest.mark.parametrize(("make", "found"), [(mlp, False), (n_hits, True), (patch_tst, True)])
def test_a_signal_of_the_past_alone_is_found_with_a_window(make: Make, found: bool) -> None:
    given, fresh = samples(), samples(seed=4)
    model = make(ONE)
    model.fit(given, outcome(given, back=5))
    later = slice(5 * 50, None)
    correlation = rank_correlation(model.predict(fresh)[later], fresh.x[: -5 * 50, 0].astype(np.float64))
    assert correlation > 0.6 if found else abs(correlation) < 0.1


def test_scores_are_on_the_scale_of_the_target(make: Make) -> None:
    given = samples()
    model, scaled = make(ONE), make(ONE)
    model.fit(given, outcome(given))
    scaled.fit(given, 1000.0 * outcome(given) + 70.0)
    np.testing.assert_allclose(scaled.predict(given), 1000.0 * model.predict(given) + 70.0, atol=0.5)


def test_the_same_conditions_give_the_same_bytes_and_another_seed_others(make: Make, tmp_path: Path) -> None:
    given = samples(sessions=10)
    models = [make(ONE), make(ONE), make(Conditions(seed=8, threads=1))]
    for number, model in enumerate(models):
        torch.manual_seed(number)
        model.fit(given, outcome(given))
    first, second, other = (files_of(model, tmp_path / str(number)) for number, model in enumerate(models))
    assert tuple(first) == FILES
    assert first == second
    assert first["weights.safetensors"] != other["weights.safetensors"]


def test_a_loaded_model_is_the_one_that_was_saved(make: Make, tmp_path: Path) -> None:
    given = samples(sessions=10)
    model = make(Conditions(seed=7, threads=2))
    model.fit(given, outcome(given))
    written = files_of(model, tmp_path / "first")
    loaded = type(model).load(tmp_path / "first")
    assert loaded.parameters() == model.parameters() == json.loads(json.dumps(model.parameters()))
    assert (loaded.feature_names, loaded.window, loaded.conditions) == (given.names, model.window, model.conditions)
    np.testing.assert_array_equal(loaded.predict(given), model.predict(given))
    assert files_of(loaded, tmp_path / "second") == written


def test_parameters_make_the_same_model_again(make: Make) -> None:
    model = make(ONE)
    assert type(model)(ONE, **model.parameters()).parameters() == model.parameters()
    assert {"seed", "threads", "device"}.isdisjoint(model.parameters())


def test_the_weights_are_a_safetensors_file_of_float32_and_nothing_else(make: Make, tmp_path: Path) -> None:
    given = samples(sessions=5)
    model = make(ONE)
    model.fit(given, outcome(given))
    content = files_of(model, tmp_path / "model")["weights.safetensors"]
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    assert {entry["dtype"] for entry in header.values()} == {"F32"}
    assert len(content) == 8 + size + sum(4 * int(np.prod(entry["shape"])) for entry in header.values())


def test_weights_of_another_shape_are_refused(make: Make, tmp_path: Path) -> None:
    model = make(ONE)
    for features in (4, 3):
        given = samples(sessions=5, features=features)
        model.fit(given, outcome(given))
        files_of(model, tmp_path / str(features))
    (tmp_path / "3" / "weights.safetensors").rename(tmp_path / "4" / "weights.safetensors")
    with pytest.raises(ValueError, match=r"weights.safetensors does not fit network.json in .*weight; fit and save the model again"):
        type(model).load(tmp_path / "4")


def test_a_sample_scores_the_same_alone_and_among_others(make: Make) -> None:
    given = samples(sessions=12)
    model = make(ONE)
    model.fit(given, outcome(given))
    together = model.predict(given)
    assert len(together) > 2 * torch_model.CHUNK
    places = np.array([0, 255, 256, 599])
    alone = [model.predict(given.take(np.array([place])))[0] for place in places]
    np.testing.assert_allclose(alone, together[places], atol=1e-5)
    assert model.predict(given.take(slice(0, 0))).shape == (0,)


def test_training_switches_dropout_on_and_prediction_off(make: Make) -> None:
    given = samples(sessions=4)
    model = make(ONE)
    model.fit(given, outcome(given))
    np.testing.assert_array_equal(model.predict(given), model.predict(given))
    without = type(model)(ONE, **{**model.parameters(), "dropout": 0.0})
    without.fit(given, outcome(given))
    assert np.abs(without.predict(given) - model.predict(given)).max() > 1e-4


@pytest.mark.parametrize("constant", [0.0, 1 / 3, -3e7])
def test_a_constant_target_is_predicted_as_it_is(make: Make, constant: float) -> None:
    given = samples(sessions=5)
    model = make(ONE)
    model.fit(given, np.full(len(given), constant))
    np.testing.assert_allclose(model.predict(given), constant, rtol=1e-12)
    # The spread of so many equal numbers is rounding, and no scale.
    assert model._scale == 1.0


def test_the_network_sees_windows_of_unit_variance(make: Make) -> None:
    given = samples()
    model = make(ONE)
    seen = model._input(given)
    np.testing.assert_allclose(seen, given.windows(model.window) * np.sqrt(12.0), rtol=1e-6)
    assert seen[5 * 50 :].std() == pytest.approx(1.0, abs=0.02)


def test_steps_are_as_long_as_the_schedule_says(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    given = samples(sessions=5)
    monkeypatch.setattr(torch_training, "schedule", lambda step, steps: 0.0 * step / steps)
    model = make(ONE)
    model.fit(given, outcome(given))
    np.testing.assert_allclose(model.predict(given), outcome(given).mean(), rtol=1e-12)


def test_few_samples_are_scored_on_one_thread_and_many_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    given = samples(sessions=10)
    model = mlp(Conditions(seed=7, threads=2))
    model.fit(given, outcome(given))
    asked: list[int] = []

    def threads_used(number: int) -> AbstractContextManager[None]:
        asked.append(number)
        return nullcontext()

    monkeypatch.setattr(torch_training, "threads_used", threads_used)
    for number in (1, torch_model.FEW, torch_model.FEW + 1):
        model.predict(given.take(slice(0, number)))
    assert asked == [1, 1, 2]


@pytest.mark.parametrize("number", [1, 5])
def test_a_handful_of_samples_is_enough_to_fit(make: Make, number: int) -> None:
    given = samples(sessions=1, stocks=number)
    model = make(ONE)
    model.fit(given, np.arange(number, dtype=np.float64))
    assert np.isfinite(model.predict(given)).all()
    assert model.explain(given) is None


def test_a_loss_that_is_not_finite_is_refused_and_leaves_the_model_as_it_was(make: Make) -> None:
    given = samples(sessions=5)
    model = make(ONE)
    model.fit(given, outcome(given))
    before = model.predict(given)
    broken = Samples(given.names, np.full_like(given.x, 1e30), given.session, given.previous, given.rows)
    name = type(model).__name__
    with pytest.raises(ArithmeticError, match=rf"the training of {name} diverged in step \d+ of \d+: .*lower learning_rate"):
        model.fit(broken, outcome(given))
    np.testing.assert_array_equal(model.predict(given), before)


def test_targets_too_large_to_square_are_refused() -> None:
    given = samples(sessions=2)
    with pytest.raises(ArithmeticError, match="too far to square"):
        mlp().fit(given, np.linspace(-1e300, 1e300, len(given)))


def test_torch_stays_as_it_was(make: Make) -> None:
    given = samples(sessions=4)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    state, deterministic = torch.get_rng_state(), torch.are_deterministic_algorithms_enabled()
    try:
        model = make(ONE)
        model.fit(given, outcome(given))
        model.predict(given)
        with pytest.raises(ArithmeticError):
            model.fit(Samples(given.names, given.x * np.float32(np.inf), given.session, given.previous, given.rows), outcome(given))
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(("name", "value"), [("most_samples", 0), ("most_epochs", 0), ("batch", 0), ("dropout", 1.0), ("dropout", -0.1)])
def test_training_that_cannot_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}; give"):
        MLP(ONE, **{name: value})  # type: ignore[arg-type]


def test_an_epoch_shows_each_sample_once_and_the_budget_ends_the_last_one() -> None:
    training = Training(most_samples=250, most_epochs=10, batch=32, learning_rate=0.1, weight_decay=0.0, dropout=0.0)
    batches = torch_training.batches_of(100, training, np.random.default_rng(1))
    shown = np.concatenate(batches)
    assert len(shown) == 250
    for start in (0, 100):
        np.testing.assert_array_equal(np.sort(shown[start : start + 100]), np.arange(100))
    assert len(set(shown[200:])) == 50
    assert shown[200:].tolist() != sorted(shown[:50])
    assert all((np.diff(batch) > 0).all() and len(batch) <= 32 for batch in batches)


def test_a_short_panel_is_not_shown_more_often_than_allowed() -> None:
    training = Training(most_samples=10_000, most_epochs=3, batch=32, learning_rate=0.1, weight_decay=0.0, dropout=0.0)
    assert sum(map(len, torch_training.batches_of(7, training, np.random.default_rng(1)))) == 21


def test_the_learning_rate_warms_up_and_goes_down_to_nearly_nothing() -> None:
    shares = [torch_training.schedule(step, 100) for step in range(100)]
    assert shares[0] < 0.11
    assert 0.95 < max(shares) <= 1
    assert shares.index(max(shares)) == 9
    assert shares[9:] == sorted(shares[9:], reverse=True)
    assert 0 < shares[-1] < 0.01
    assert torch_training.schedule(0, 1) == 1


def test_dropout_keeps_the_mean_and_drops_whole_parts_where_told() -> None:
    drop = torch_training.dropping(0.25, torch.Generator().manual_seed(1))
    dropped = drop(torch.ones(100, 100))
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.03)
    rows = drop(torch.ones(100, 7), (100, 1))
    assert torch.equal(rows, rows[:, :1].expand(-1, 7))
    assert sorted(set(rows.flatten().tolist())) == pytest.approx([0.0, 4 / 3])


def test_the_mean_of_the_last_weights_is_kept() -> None:
    weights = {"a": torch.tensor([1.0, 5.0], requires_grad=True)}
    average = torch_training.Average(weights)
    for value in (2.0, 4.0, 9.0):
        average.add({"a": torch.tensor([value, 0.0])})
    assert average.weights()["a"].tolist() == [5.0, 0.0]
    assert not average.weights()["a"].requires_grad


def test_idle_threads_are_put_to_sleep_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    sleep_when_idle()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    sleep_when_idle()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
