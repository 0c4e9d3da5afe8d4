"""Small networks, trained on the CPU."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from trainables.data.datasets import TrialData
from trainables.networks.mlp import MLP
from trainables.networks.mlp_config import MLPConfig
from trainables.training.fit import EpochMetrics, fit
from trainables.training.metrics import DIVERGED_LOSS

CPU = torch.device("cpu")


def mlp_config(**values: Any) -> MLPConfig:
    defaults: dict[str, Any] = {"n_layers": 1, "width_1": 16, "lr": 0.05}
    return MLPConfig(**defaults | values)


def mlp(config: MLPConfig, data: TrialData) -> MLP:
    torch.manual_seed(0)
    return MLP(config, data.input_shape, data.n_classes)


def train(
    data: TrialData, max_epochs: int = 2, model: nn.Module | None = None, **values: Any
) -> list[EpochMetrics]:
    config = mlp_config(**values)
    model = mlp(config, data) if model is None else model
    return list(fit(model, config, data, max_epochs=max_epochs, seed=0, device=CPU))


def scores(metrics: EpochMetrics) -> dict[str, float | int | bool]:
    return {name: value for name, value in metrics.as_dict().items() if name != "seconds"}


def spy(model: nn.Module) -> list[torch.Tensor]:
    """Keeps a copy of every training batch that ``model`` sees."""
    batches: list[torch.Tensor] = []

    def remember(module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if module.training:
            batches.append(args[0].clone())

    model.register_forward_pre_hook(remember)
    return batches


def assert_worst(last: EpochMetrics, loss: float = DIVERGED_LOSS) -> None:
    assert last.diverged
    assert last.train_loss == last.val_loss == pytest.approx(loss)
    assert all(math.isfinite(value) for value in last.as_dict().values())
