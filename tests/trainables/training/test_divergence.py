"""When a training has diverged, and what it reports then."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import trainables.training.fit as fitting
from tests.trainables.training.trained import CPU, assert_worst, mlp, mlp_config, spy, train
from trainables.data.datasets import TrialData, load
from trainables.training.fit import fit
from trainables.training.guard import DivergenceGuard
from trainables.training.metrics import DIVERGED_LOSS
from trainables.training.objective import objective_of, worst_by_chance


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


@pytest.fixture(scope="module")
def diabetes() -> TrialData:
    return load("diabetes")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_huge_learning_rate_diverges_within_a_few_batches(
    digits: TrialData, optimizer: str
) -> None:
    config = mlp_config(lr=1e6, optimizer=optimizer)
    model = mlp(config, digits)
    batches = spy(model)
    (last,) = fit(model, config, digits, max_epochs=10, seed=0, device=CPU)
    assert_worst(last)
    assert last.values["train_accuracy"] == last.values["val_accuracy"] == 0.0
    assert len(batches) <= 3


def test_a_target_with_heavy_tails_is_no_divergence(diabetes: TrialData) -> None:
    y = np.exp(2 * np.random.default_rng(0).normal(size=20_000)).astype(np.float32)
    y = (y - y.mean()) / y.std()
    x = np.resize(diabetes.x_train, (len(y), 10))
    heavy = replace(diabetes, x_train=x, y_train=y, y_val=np.sort(y)[-88:])
    (metrics,) = train(heavy, max_epochs=1, lr=1e-4, batch_size=8)
    assert not metrics.diverged
    assert metrics.val_loss > 100
    by_chance = float(np.square(heavy.y_val, dtype=float).mean())
    assert metrics.val_loss < 4 * by_chance
    (diverged,) = train(heavy, max_epochs=1, lr=1e6, batch_size=8)
    assert_worst(diverged, max(DIVERGED_LOSS, 4 * by_chance))


def test_a_batch_of_a_rare_class_is_no_divergence(digits: TrialData) -> None:
    y = np.repeat([0, 1], [49_995, 5])
    few = replace(digits, y_train=y, n_classes=2)
    by_chance = worst_by_chance(few, few.y_train, 32)
    assert by_chance == pytest.approx(math.log(len(y) / 5))
    objective = objective_of(few)
    assert objective.limit(objective.chance_loss, by_chance) > by_chance


def test_a_diverged_regression_reports_the_worst_r2(diabetes: TrialData) -> None:
    (last,) = train(diabetes, max_epochs=10, lr=1e6)
    assert_worst(last)
    assert last.values["train_r2"] == last.values["val_r2"] == 1 - DIVERGED_LOSS
    worst = math.sqrt(DIVERGED_LOSS) * diabetes.target_std
    assert last.values["val_rmse"] == last.values["val_mae"] == pytest.approx(worst)


def test_divergence_stops_before_the_optimizer_step(digits: TrialData) -> None:
    config = mlp_config()
    model = mlp(config, digits)
    with torch.no_grad():
        next(model.parameters())[0, 0] = math.nan
    before = [p.clone() for p in model.parameters()]
    batches = spy(model)
    (last,) = fit(model, config, digits, max_epochs=3, seed=0, device=CPU)
    assert_worst(last)
    assert len(batches) == 1
    assert all(
        torch.equal(a.nan_to_num(), b.nan_to_num())
        for a, b in zip(before, model.parameters(), strict=True)
    )


class Scaled(nn.Module):
    """Spoils the outputs of ``inner`` from a given training batch on, or only in evaluation."""

    def __init__(self, inner: nn.Module, spoil: Callable[[int, bool], float]) -> None:
        super().__init__()
        self.inner, self.spoil, self.n_batches = inner, spoil, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.n_batches += self.training
        output: torch.Tensor = self.inner(x)
        return output * self.spoil(self.n_batches, self.training)


@pytest.mark.parametrize("factor", [math.nan, math.inf, 1e6])
def test_a_later_batch_that_explodes_ends_the_training(digits: TrialData, factor: float) -> None:
    config = mlp_config()
    model = Scaled(mlp(config, digits), lambda batch, _: factor if batch >= 60 else 1.0)
    first, last = fit(model, config, digits, max_epochs=9, seed=0, device=CPU)
    assert not first.diverged
    assert_worst(last)
    assert model.n_batches == 60


@pytest.mark.parametrize("factor", [math.nan, math.inf, 1e6])
def test_an_exploded_validation_loss_ends_the_training(digits: TrialData, factor: float) -> None:
    config = mlp_config()
    model = Scaled(mlp(config, digits), lambda _, training: 1.0 if training else factor)
    (last,) = fit(model, config, digits, max_epochs=3, seed=0, device=CPU)
    assert_worst(last)


def test_a_guard_that_looks_seldom_looks_at_the_end_of_an_epoch(
    digits: TrialData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU. The weights do not change, so only one batch shows the divergence."""
    monkeypatch.setattr(fitting, "DivergenceGuard", partial(DivergenceGuard, steps=1000))
    config = mlp_config(lr=1e-30)
    model = Scaled(
        mlp(config, digits), lambda batch, training: 1e6 if training and batch == 5 else 1.0
    )
    (last,) = fit(model, config, digits, max_epochs=2, seed=0, device=CPU)
    assert_worst(last)


def test_a_loss_a_hundred_times_that_of_the_first_batch_is_too_much(digits: TrialData) -> None:
    objective = objective_of(digits)
    assert objective.limit(5.0, 0.0) == 500.0
    assert objective.limit(0.0, 0.0) == pytest.approx(100 * objective.chance_loss)
    assert objective.limit(math.nan, 0.0) == pytest.approx(100 * objective.chance_loss)
    assert objective.limit(5000.0, 0.0) == DIVERGED_LOSS
