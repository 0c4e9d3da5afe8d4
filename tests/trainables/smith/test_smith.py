"""Momentum and weight decay by short trainings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch

from trainables.data.datasets import load
from trainables.networks import NETWORKS
from trainables.smith import short_runs as smith
from trainables.smith.short_runs import (
    MOMENTA,
    WEIGHT_DECAYS,
    run_momentum_test,
    run_weight_decay_test,
    short_epochs,
)

CPU = torch.device("cpu")
DATA = load("digits")


class Network:
    """Ends with the loss that ``losses`` gives for the value in a config; None means divergence."""

    def __init__(self, name: str, losses: Mapping[float, float | None]) -> None:
        self.name, self.losses = name, losses
        self.configs: list[dict[str, Any]] = []

    def __call__(self, config: dict[str, Any], data: object, **_: Any) -> Iterator[Any]:
        self.configs.append(config)
        loss = self.losses[config[self.name]]
        for epoch in (1, 2):
            last = loss is None and epoch == 2
            value = 1e3 if last else 1.0 if epoch == 1 else loss
            yield {"train_loss": value, "val_loss": value, "diverged": last}, None


def decide(network: Network) -> smith.ValueTest:
    test = run_momentum_test if network.name == "max_momentum" else run_weight_decay_test
    values = tuple(network.losses)
    arguments = {"epochs": 2, "seed": 0, "device": CPU}
    return test(network, {"lr": 0.1}, DATA, values=values, **arguments)  # type: ignore[arg-type]


def test_the_lowest_final_loss_decides() -> None:
    test = decide(Network("weight_decay", {1e-3: 0.5, 1e-4: 0.3, 0.0: 0.4}))
    assert test.chosen == 1e-4
    assert test.reason == ("validation loss 0.3 after 2 epochs, against 0.5 with 0.001, 0.4 with 0")


def test_of_those_that_are_even_the_largest_is_taken() -> None:
    test = decide(Network("weight_decay", {1e-3: 0.302, 1e-4: 0.3, 0.0: 0.304}))
    assert test.chosen == 1e-3
    assert "the largest of 2 within 1%" in test.reason


def test_what_diverges_is_not_taken_and_is_named() -> None:
    test = decide(Network("max_momentum", {0.99: None, 0.9: 0.7}))
    assert test.chosen == 0.9
    assert test.reason.endswith("against diverged with 0.99")


def test_where_all_diverge_there_is_no_value() -> None:
    with pytest.raises(ValueError, match=r"momentum test: every short .* with 0\.99, 0\.9"):
        decide(Network("max_momentum", {0.99: None, 0.9: None}))


def test_momentum_comes_down_to_the_same_value_and_never_goes_up() -> None:
    network = Network("max_momentum", {0.99: 0.1, 0.8: 0.2})
    decide(network)
    moved = [(c["max_momentum"], c["base_momentum"]) for c in network.configs]
    assert moved == [(0.99, 0.85), (0.8, 0.8)]
    assert all(config["lr"] == 0.1 for config in network.configs)


@pytest.mark.parametrize(
    ("samples", "batch_size", "epochs"), [(1000, 10, 5), (1000, 100, 8), (64, 64, 80), (65, 64, 80)]
)
def test_a_short_training_has_80_steps_and_5_epochs_at_least(
    samples: int, batch_size: int, epochs: int
) -> None:
    assert short_epochs(samples, batch_size) == epochs


def test_values_of_the_paper_on_a_real_network() -> None:
    network = NETWORKS["mlp"]
    config = {"n_layers": 1, "width_1": 8, "lr": 0.1, "policy": "one_cycle", "batch_size": 256}
    arguments: dict[str, Any] = {"epochs": 3, "seed": 0, "device": CPU}
    momentum = run_momentum_test(network, config, DATA, **arguments)
    decay = run_weight_decay_test(network, config, DATA, **arguments)
    assert [run.value for run in momentum.runs] == list(MOMENTA)
    assert [run.value for run in decay.runs] == list(WEIGHT_DECAYS)
    for test in (momentum, decay):
        assert {len(run.val_losses) for run in test.runs} == {3}
        assert len({run.loss for run in test.runs}) == 4  # each value was used in a training
    again = run_momentum_test(network, config, DATA, **arguments)
    assert again == momentum
