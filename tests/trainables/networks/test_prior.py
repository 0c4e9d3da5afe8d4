"""A network begins like a model that knows only the distribution of the targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.sets.configs import LENET
from search_spaces import SPACES
from trainables.data.datasets import TrialData, load, with_balanced_classes
from trainables.networks import NETWORKS
from trainables.networks.prior import start_at_prior
from trainables.smith.lr_range_rule import suggest_bounds
from trainables.smith.lr_range_test import find_bounds, run_range_test
from trainables.training.objective import objective_of

CPU = torch.device("cpu")


def first_loss(model: str, data: TrialData) -> float:
    """The loss of an untrained network on its training samples."""
    torch.manual_seed(0)
    _, network = NETWORKS[model].build(next(SPACES[model].grid()), data)
    with torch.no_grad():
        outputs = network.eval()(torch.from_numpy(data.x_train))
    return objective_of(data).judge(outputs, torch.from_numpy(data.y_train)).loss


def rare(data: TrialData) -> TrialData:
    """The data with nine of ten samples removed from each class except the first."""
    kept = (data.y_train == 0) | (np.arange(len(data.y_train)) % 10 == 0)
    return replace(data, x_train=data.x_train[kept], y_train=data.y_train[kept])


@pytest.mark.parametrize("model", SPACES)
def test_the_first_loss_is_that_of_the_shares_of_the_classes(model: str) -> None:
    data = rare(load("digits"))
    chance = objective_of(data).chance_loss
    assert chance < 0.9 * np.log(10)
    assert first_loss(model, data) == pytest.approx(chance, rel=0.05)
    assert first_loss(model, with_balanced_classes(data)) == pytest.approx(np.log(10), rel=0.05)


def test_a_regression_begins_at_the_mean() -> None:
    data = load("diabetes")
    shifted = replace(data, y_train=data.y_train + 3)
    assert first_loss("mlp", shifted) == pytest.approx(data.y_train.var(), rel=0.1)


def test_the_output_layer_need_not_be_the_last_layer() -> None:
    """A network of a contributor may have other linear layers after it, or none at all."""
    data = rare(load("digits"))
    head, unbiased = torch.nn.Linear(64, 10), torch.nn.Linear(64, 10, bias=False)
    hidden = torch.nn.Linear(64, 32)
    before = hidden.bias.tolist()
    start_at_prior(torch.nn.ModuleList([head, hidden, unbiased]), data)
    assert head.bias.tolist() == pytest.approx(np.log(data.class_shares).tolist())
    assert hidden.bias.tolist() == before
    start_at_prior(torch.nn.Conv2d(1, 10, 3), data)


def test_a_size_is_counted_without_making_the_network() -> None:
    data = load("wine")
    config = {**LENET, "width_1": 3, "width_2": 2}
    assert NETWORKS["mlp"].size(config, data) == 13 * 3 + 3 + 3 * 2 + 2 + 2 * 3 + 3


def test_where_batches_are_too_noisy_the_bounds_are_read_off_the_validation_loss() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6000, 8)).astype(np.float32)
    y = (rng.random(6000) < 1 / (1 + np.exp(1.2 - 0.6 * x[:, 0] - 0.36 * x[:, 1]))).astype(np.int64)
    data = TrialData(
        "weak", "classification", x[:4000], y[:4000], x[4000:], y[4000:], 2, ("a", "b"), ""
    )
    config = {**LENET, "batch_size": 64}
    test = run_range_test(NETWORKS["mlp"], config, data, device=CPU)
    with pytest.raises(ValueError, match="no usable slope"):
        suggest_bounds(test.lrs, test.train_losses)
    bounds = find_bounds(test)
    assert bounds.curve == "validation"
    assert "on validation the loss falls fastest" in bounds.reason
    assert bounds.to_search == pytest.approx((bounds.base_lr, 3 * bounds.lowest_lr))
    assert 1e-4 < bounds.max_lr <= bounds.lowest_lr < 3e-2
