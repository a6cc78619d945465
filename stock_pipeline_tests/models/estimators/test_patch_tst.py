import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.estimators.patch_tst import PatchTST

ONE = Conditions(seed=7, threads=1)


def keep(x: torch.Tensor, shape: Sequence[int] | None = None) -> torch.Tensor:
    # Whole channels of a sample are dropped.
    assert shape == (x.shape[0], x.shape[1], 1)
    return x


@pytest.fixture
def model() -> PatchTST:
    return PatchTST(ONE, window=6, patch=2, width=8, heads=2, layers=2)


@pytest.fixture
def weights(model: PatchTST) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {name: 0.5 * torch.randn(weight.shape, generator=generator) for name, weight in model._initial(5, generator).items()}


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(5))


def test_channels_share_their_weights(model: PatchTST, weights: dict[str, torch.Tensor], x: torch.Tensor) -> None:
    order = [3, 1, 2, 0, 4]
    straight, permuted = model._represented(weights, x), model._represented(weights, x[:, :, order])
    assert straight.shape == (3, 4, 5, 8)
    torch.testing.assert_close(permuted, straight[:, :, order])
    assert not torch.allclose(permuted, straight)


def test_a_channel_is_represented_without_a_look_at_the_others(model: PatchTST, weights: dict[str, torch.Tensor], x: torch.Tensor) -> None:
    changed = x.clone()
    changed[:, :, 2] += 1.0
    differs = (model._represented(weights, changed) - model._represented(weights, x)).abs().amax(dim=(0, 1, 3)) > 1e-4
    assert differs.tolist() == [False, False, True, False, False]


def test_rows_do_not_see_each_other(model: PatchTST, weights: dict[str, torch.Tensor], x: torch.Tensor) -> None:
    together = model._forward(weights, x, keep)
    alone = torch.cat([model._forward(weights, x[row : row + 1], keep) for row in range(4)], dim=1)
    assert together.shape == (1, 4)
    torch.testing.assert_close(together, alone)


def test_every_session_of_every_channel_counts(model: PatchTST, weights: dict[str, torch.Tensor], x: torch.Tensor) -> None:
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(model._forward(weights, x, keep).sum(), x)
    assert (gradient.abs() > 1e-6).all()


def test_patches_cover_the_window_side_by_side(weights: dict[str, torch.Tensor], x: torch.Tensor) -> None:
    # Without a layer nothing mixes the patches, so a session reaches its own patch alone.
    model = PatchTST(ONE, window=6, patch=2, width=8, layers=0)
    for session in range(6):
        changed = x.clone()
        changed[:, session] += 1.0
        differs = (model._represented(weights, changed) - model._represented(weights, x)).abs().amax(dim=(1, 2, 3)) > 1e-4
        assert differs.nonzero().flatten().tolist() == [session // 2]


def test_patches_know_their_place(model: PatchTST, weights: dict[str, torch.Tensor]) -> None:
    same = model._represented(weights, torch.ones(1, 6, 5))
    assert not torch.allclose(same[0], same[1], atol=1e-3)


def test_attention_is_that_of_the_textbook(model: PatchTST, weights: dict[str, torch.Tensor]) -> None:
    state = torch.randn(3, 7, 8, generator=torch.Generator().manual_seed(9))
    made = model._attended(weights, "layer.1", state.view(-1, 8), patches=3).view(3, 7, 8)
    reference = torch.nn.MultiheadAttention(8, 2)
    with torch.no_grad():
        reference.in_proj_weight.copy_(weights["layer.1.attention.weight"].T)
        reference.in_proj_bias.copy_(weights["layer.1.attention.bias"])
        reference.out_proj.weight.copy_(weights["layer.1.mixed.weight"].T)
        reference.out_proj.bias.copy_(weights["layer.1.mixed.bias"])
        expected, _ = reference(state, state, state)
    torch.testing.assert_close(made, expected)


def test_the_encoder_is_torchs_own(model: PatchTST, weights: dict[str, torch.Tensor], x: torch.Tensor) -> None:
    parts = x.transpose(1, 2).reshape(4 * 5, 3, 2)
    state = parts @ weights["patch.weight"] + weights["position.bias"]
    for layer in range(2):
        reference = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True)
        names = {
            "self_attn.in_proj": "attention", "self_attn.out_proj": "mixed", "linear1": "hidden", "linear2": "output",
            "norm1": "before", "norm2": "between",
        }  # fmt: skip
        own = {}
        for theirs, ours in names.items():
            joint = "_" if theirs.endswith("in_proj") else "."
            gain = weights.get(f"layer.{layer}.{ours}.gain")
            own[f"{theirs}{joint}weight"] = weights[f"layer.{layer}.{ours}.weight"].T if gain is None else gain
            own[f"{theirs}{joint}bias"] = weights[f"layer.{layer}.{ours}.bias"]
        reference.load_state_dict(own)
        with torch.no_grad():
            state = reference(state)
    expected = torch.layer_norm(state, (8,), weights["last.gain"], weights["last.bias"])
    made = model._represented(weights, x).permute(1, 2, 0, 3).reshape(20, 3, 8)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-4)


def test_training_starts_from_the_mean(model: PatchTST, x: torch.Tensor) -> None:
    assert model._forward(model._initial(5, torch.Generator()), x, keep).abs().max().item() == 0
    assert math.isclose(model._initial(5, torch.Generator())["last.gain"].mean().item(), 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"patch": 3}, "patch 3 does not divide the window of 10 sessions"),
        ({"patch": 0}, "patch 0 does not divide the window of 10 sessions"),
        ({"heads": 3}, "3 heads do not divide the width of 16"),
        ({"window": 0}, "window is 0; give at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PatchTST(ONE, **parameters)
