"""A training that goes on from its state."""

import copy
import io
from typing import Any

import pytest
import torch

from tests.trainables.training.trained import CPU, assert_worst, mlp, mlp_config, scores
from trainables.data.datasets import TrialData, load
from trainables.networks.cnn import CNN
from trainables.networks.cnn_config import CNNConfig
from trainables.networks.mlp import MLP
from trainables.networks.mlp_config import MLPConfig
from trainables.training.fit import Training, fit
from trainables.training.optimizers import OPTIMIZERS


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_training_goes_on_from_its_state_as_if_never_interrupted(
    digits: TrialData, optimizer: str
) -> None:
    config = MLPConfig.from_dict(
        {
            "n_layers": 1,
            "width_1": 16,
            "dropout": 0.3,
            "batch_norm": True,
            "optimizer": optimizer,
            "policy": "one_cycle",
            "lr": 0.01,
            "weight_decay": 1e-4,
        }
    )

    def start(seed: int) -> Training:
        torch.manual_seed(seed)
        model = MLP(config, digits.input_shape, digits.n_classes)
        return fit(model, config, digits, max_epochs=4, seed=seed, device=CPU)

    def scores(training: Training) -> list[Any]:
        return [(m.epoch, m.train_loss, m.val_loss, m.lr, m.momentum) for m in training]

    straight = scores(start(seed=0))
    interrupted = start(seed=0)
    before = [next(interrupted), next(interrupted)]
    file = io.BytesIO()
    torch.save(interrupted.state_dict(), file)
    file.seek(0)
    resumed = start(seed=1)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert [m.epoch for m in before] == [1, 2]
    assert scores(resumed) == straight[2:]


def test_a_resumed_training_keeps_the_limit_of_its_first_batch(digits: TrialData) -> None:
    """The first batch after resuming may be bad already: then no loss would be too large."""
    config = mlp_config(lr=1e-30)
    interrupted = fit(mlp(config, digits), config, digits, max_epochs=3, seed=0, device=CPU)
    next(interrupted)
    state = interrupted.state_dict()
    assert 100 < state["limit"] < 500
    resumed = fit(mlp(config, digits), config, digits, max_epochs=3, seed=0, device=CPU)
    resumed.load_state_dict(state)
    with torch.no_grad():  # it is sure of the first class: its loss is about 700
        *_, weight, bias = resumed.model.parameters()
        weight.zero_()
        bias.copy_(torch.tensor([800.0, *[0.0] * 9]))
    assert_worst(next(resumed))


def test_a_resumed_training_keeps_its_own_weight_decay(digits: TrialData) -> None:
    def start(decay: float) -> Training:
        config = MLPConfig.from_dict(
            {"n_layers": 1, "width_1": 8, "lr": 0.01, "weight_decay": decay}
        )
        model = MLP(config, digits.input_shape, digits.n_classes)
        return fit(model, config, digits, max_epochs=3, seed=0, device=CPU)

    donor = start(0.0)
    next(donor)
    taker = start(0.5)
    taker.load_state_dict(donor.state_dict())
    decays = {g["weight_decay"] for g in taker.state_dict()["optimizer"]["param_groups"]}
    assert decays == {0.5}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("began_on_a_gpu", [True, False])
def test_a_cnn_goes_on_from_the_state_of_another_kind_of_device(
    digits: TrialData, optimizer: str, began_on_a_gpu: bool
) -> None:
    """On a GPU its channels are last, and an optimiser's own state with them."""
    config = CNNConfig(n_blocks=2, channels=4, batch_size=256, lr=0.01, optimizer=optimizer)

    def start(on_a_gpu: bool) -> Training:
        torch.manual_seed(0)
        model = CNN(config, digits.input_shape, digits.n_classes)
        return fit(model, config, digits, max_epochs=3, seed=0, device=CPU, bf16=on_a_gpu)

    first = start(began_on_a_gpu)
    next(first)
    state = first.state_dict()
    second, same = start(not began_on_a_gpu), start(not began_on_a_gpu)
    next(same)  # its own state lies in memory as its parameters do
    own = same.state_dict()["optimizer"]["state"]
    for number, values in copy.deepcopy(state["optimizer"]["state"]).items():
        for name, value in values.items():
            own[number][name].copy_(value)
    same.model.load_state_dict(state["model"])
    second.load_state_dict(copy.deepcopy(state))
    assert scores(next(second)) == scores(next(same))
