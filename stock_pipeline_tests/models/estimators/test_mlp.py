import numpy as np
import torch

from stock_pipeline.models.estimators import torch_training
from stock_pipeline.models.estimators.estimator import Conditions
from stock_pipeline.models.estimators.mlp import MLP
from stock_pipeline_tests.models.estimators.test_torch_models import outcome, samples

ONE = Conditions(seed=7, threads=1)


def test_the_score_is_the_mean_of_perceptrons_that_differ() -> None:
    given = samples(sessions=4)
    model = MLP(ONE, members=3, hidden=8, most_epochs=4)
    model.fit(given, outcome(given))
    weights = {name: weight.numpy().astype(np.float64) for name, weight in model._weights.items()}
    members = []
    for member in range(3):
        state = given.x * np.sqrt(12.0)
        for layer in range(2):
            state = np.maximum(state @ weights[f"layer.{layer}.weight"][member] + weights[f"layer.{layer}.bias"][member], 0)
        members.append((state @ weights["score.weight"][member] + weights["score.bias"][member])[:, 0] * model._scale + model._mean)
    assert np.abs(members[0] - members[1]).max() > 1e-3
    np.testing.assert_allclose(model.predict(given), np.mean(members, axis=0), atol=1e-6)


def test_a_member_does_not_touch_another() -> None:
    model = MLP(ONE, members=2, hidden=8)
    weights = model._initial(3, torch.Generator().manual_seed(1))
    x = torch.ones(5, 1, 3)
    for weight in weights.values():
        weight[1] += 1.0
    changed = model._forward(weights, x, torch_training.keep)
    assert changed.shape == (2, 5)
    assert (changed[0] == 0).all()
    assert (changed[1] > 0).all()
