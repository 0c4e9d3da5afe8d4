"""The mean of what several networks predict."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from trainables.networks.ensemble import Ensemble, mean_prediction, select


def test_probabilities_are_averaged_and_not_what_is_before_them() -> None:
    networks = [nn.Linear(3, 4), nn.Linear(3, 4)]
    x = torch.randn(5, 3)
    found = Ensemble(networks, "classification")(x).softmax(1)
    wanted = torch.stack([network(x).softmax(1) for network in networks]).mean(0)
    assert torch.allclose(found, wanted, atol=1e-6)
    values = Ensemble(networks, "regression")(x)
    assert torch.allclose(values, (networks[0](x) + networks[1](x)) / 2, atol=1e-6)


def test_a_class_that_all_rule_out_is_no_infinity() -> None:
    certain = nn.Linear(1, 2)
    nn.init.constant_(certain.weight, 0.0)
    certain.bias.data = torch.tensor([0.0, 1000.0])
    outputs = Ensemble([certain, certain], "classification")(torch.zeros(1, 1))
    assert outputs[0].tolist() == pytest.approx([-1000.0, 0.0])


def test_a_weight_of_two_counts_as_the_network_twice() -> None:
    a, b = torch.randn(5, 3), torch.randn(5, 3)
    for task in ("classification", "regression"):
        assert torch.allclose(
            mean_prediction([a, b], task, [2, 1]), mean_prediction([a, a, b], task), atol=1e-6
        )


def _error(targets: torch.Tensor) -> Callable[[torch.Tensor], float]:
    return lambda prediction: float((prediction - targets).square().mean())


def test_a_network_that_does_harm_is_left_out_and_errors_that_cancel_are_taken() -> None:
    targets, error = torch.randn(200, 1), 0.3 * torch.randn(200, 1)
    high, low, bad = targets + error, targets - error, torch.randn(200, 1)
    assert select([bad, high, low], "regression", _error(targets)) == (0, 1, 1)


def test_one_network_that_no_other_helps_stays_alone() -> None:
    targets = torch.randn(50, 1)
    assert select([targets, targets + 1.0], "regression", _error(targets)) == (1, 0)


def test_weights_follow_how_good_a_network_is() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(5000, 1, generator=generator)
    good, fair = (
        targets + sigma * torch.randn(5000, 1, generator=generator) for sigma in (0.5, 1.0)
    )
    # Independent errors: the best weights are as 1 / variance, 4 to 1.
    first, second = select([fair, good], "regression", _error(targets))
    assert second / (first + second) == pytest.approx(0.8, abs=0.06)


def test_a_network_without_finite_predictions_is_never_taken() -> None:
    targets = torch.zeros(4, 1)
    broken = torch.full((4, 1), torch.nan)
    assert select([broken, targets + 1], "regression", _error(targets)) == (0, 1)
