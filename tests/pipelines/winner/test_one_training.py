"""One final training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from pipelines.winner.one_training import Training, train_here
from tests.pipelines.running import data


def channels_last(config: Any, data: Any, **_: Any) -> Iterator[Any]:
    yield {"val_loss": 0.1}, nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)


def test_a_network_whose_channels_are_last_comes_back_as_others_expect_it() -> None:
    once = Training({}, epochs=1, max_epochs=1, seed=0)
    model = train_here(channels_last, data(), once, torch.device("cpu"))
    assert model is not None
    assert all(weight.is_contiguous() for weight in model.parameters())


def changes_its_data(config: Any, data: Any, **_: Any) -> Iterator[Any]:
    torch.from_numpy(data.x_train).add_(1)
    yield {"val_loss": 0.1}, nn.Linear(1, 1)


def test_a_function_of_the_users_leaves_the_data_as_they_are_and_draws_by_the_seed() -> None:
    once, zeros = Training({}, epochs=1, max_epochs=1, seed=3), data()
    models = [train_here(changes_its_data, zeros, once, torch.device("cpu")) for _ in range(2)]
    assert not zeros.x_train.any()
    first, second = (dict(model.named_parameters()) for model in models if model is not None)
    assert torch.equal(first["weight"], second["weight"])


@pytest.mark.parametrize(
    "last",
    [{"val_loss": float("nan")}, {"val_loss": 0.1, "size": float("inf")}, {"diverged": True}],
)
def test_a_training_diverges_by_the_same_rule_as_in_the_search(last: dict[str, Any]) -> None:
    def diverges(config: Any, data: Any, **_: Any) -> Iterator[Any]:
        yield {"val_loss": 0.1, "size": 1.0, "beside": float("nan")}, nn.Linear(1, 1)
        yield last, nn.Linear(1, 1)

    both = Training({}, epochs=2, max_epochs=2, seed=0, needed=("val_loss", "size"))
    assert train_here(diverges, data(), both, torch.device("cpu")) is None
    first = replace(both, epochs=1)
    assert train_here(diverges, data(), first, torch.device("cpu")) is not None
