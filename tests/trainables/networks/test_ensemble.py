"""The mean of what several networks predict."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.networks.ensemble import Ensemble


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
