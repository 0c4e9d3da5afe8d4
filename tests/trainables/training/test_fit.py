"""The training loop: what an epoch trains on and reports, and that it is repeatable."""

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainables.training.trained import CPU, mlp, mlp_config, scores, spy, train
from trainables.data.datasets import TrialData, load
from trainables.training.batches import batch_bounds, to_tensor
from trainables.training.fit import fit
from trainables.training.metrics import DIVERGED_LOSS
from trainables.training.optimizers import make_optimizer, set_rates


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


@pytest.fixture(scope="module")
def diabetes() -> TrialData:
    return load("diabetes")


def head(data: TrialData, n: int) -> TrialData:
    return replace(data, x_train=data.x_train[:n], y_train=data.y_train[:n])


def test_an_epoch_of_classification_reports_its_metrics(digits: TrialData) -> None:
    first, second = train(digits, lr=0.05, momentum=0.8)
    assert set(first.as_dict()) == {
        "epoch",
        "train_loss",
        "val_loss",
        "lr",
        "momentum",
        "seconds",
        "train_accuracy",
        "val_accuracy",
        "val_balanced_accuracy",
        "val_f1",
        "val_auc",
        "val_average_precision",
        "diverged",
    }
    assert (first.epoch, second.epoch) == (1, 2)
    assert (first.lr, first.momentum, first.diverged) == (0.05, 0.8, False)
    assert first.seconds > 0
    assert second.train_loss < first.train_loss < math.log(10)
    assert 0.5 < first.values["val_accuracy"] <= 1


def test_regression_reports_r2_and_learns(diabetes: TrialData) -> None:
    *_, last = train(diabetes, max_epochs=20, lr=0.01)
    assert {"train_r2", "val_r2", "val_rmse", "val_mae"} < set(last.as_dict())
    assert "val_accuracy" not in last.values
    assert last.values["val_r2"] > 0.3
    assert last.values["val_r2"] == pytest.approx(
        1 - last.val_loss / diabetes.y_val.var(), rel=1e-4
    )


def test_a_constant_validation_target_gives_a_finite_r2(diabetes: TrialData) -> None:
    constant = replace(diabetes, y_val=np.zeros_like(diabetes.y_val))
    (metrics,) = train(constant, max_epochs=1, lr=0.01)
    assert metrics.values["val_r2"] == 1 - DIVERGED_LOSS
    assert not metrics.diverged


def test_train_scores_are_those_of_the_batches(digits: TrialData) -> None:
    # With a tiny learning rate the model does not change, so the scores can be computed afterwards.
    config = mlp_config(lr=1e-12)
    model = mlp(config, digits)
    (metrics,) = fit(model, config, digits, max_epochs=1, seed=0, device=CPU)
    with torch.no_grad():
        outputs = model(torch.tensor(digits.x_train))
    y = torch.tensor(digits.y_train)
    assert metrics.train_loss == pytest.approx(
        nn.functional.cross_entropy(outputs, y).item(), rel=1e-3
    )
    assert metrics.values["train_accuracy"] == pytest.approx(
        (outputs.argmax(1) == y).float().mean().item(), abs=2e-3
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_same_seed_gives_the_same_metrics(digits: TrialData, optimizer: str) -> None:
    first, second = (train(digits, optimizer=optimizer, lr=0.01, dropout=0.3) for _ in range(2))
    assert [scores(m) for m in first] == [scores(m) for m in second]


def test_an_epoch_sees_every_sample_once_in_a_new_order(digits: TrialData) -> None:
    config = mlp_config(batch_size=50)
    model = mlp(config, digits)
    batches = spy(model)
    list(fit(model, config, digits, max_epochs=2, seed=0, device=CPU))
    per_epoch = len(batches) // 2
    epochs = [torch.cat(batches[:per_epoch]), torch.cat(batches[per_epoch:])]
    assert not torch.equal(*epochs)
    rows = [sorted(map(tuple, epoch.flatten(1).tolist())) for epoch in epochs]
    assert rows[0] == rows[1] == sorted(map(tuple, digits.x_train.reshape(len(rows[0]), -1)))


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "sizes"),
    [
        (10, 5, [5, 5]),
        (12, 5, [5, 5, 2]),
        (11, 5, [5, 5]),  # no batch of a single sample
        (3, 5, [3]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_batch_bounds(n_samples: int, batch_size: int, sizes: list[int]) -> None:
    bounds = batch_bounds(n_samples, batch_size)
    assert [end - start for start, end in bounds] == sizes
    assert bounds[0][0] == 0


@pytest.mark.parametrize(("n_samples", "batch_size"), [(33, 32), (20, 256)])
def test_batch_norm_survives_odd_batches(
    digits: TrialData, n_samples: int, batch_size: int
) -> None:
    epochs = train(head(digits, n_samples), batch_size=batch_size, batch_norm=True)
    assert [m.diverged for m in epochs] == [False, False]


def test_read_only_arrays_are_trained_on_without_a_copy_or_a_warning(digits: TrialData) -> None:
    names = ("x_train", "y_train", "x_val", "y_val")
    arrays = {name: getattr(digits, name).copy() for name in names}
    for array in arrays.values():
        array.setflags(write=False)
    torch.set_warn_always(True)  # otherwise torch warns only once per process
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train(replace(digits, **arrays), max_epochs=1)
    finally:
        torch.set_warn_always(False)
    assert to_tensor(arrays["x_train"], CPU).data_ptr() == arrays["x_train"].ctypes.data
    assert all(np.array_equal(array, getattr(digits, name)) for name, array in arrays.items())


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_lr_and_momentum_are_set_on_the_optimizer(digits: TrialData, optimizer: Any) -> None:
    config = mlp_config(optimizer=optimizer)
    built = make_optimizer(mlp(config, digits), config)
    set_rates(built, 0.02, 0.7)
    (group,) = built.param_groups
    assert group["lr"] == 0.02
    assert group["betas"] == (0.7, 0.999) if optimizer == "adamw" else group["momentum"] == 0.7


def test_metrics_follow_the_policy(digits: TrialData) -> None:
    epochs = train(digits, max_epochs=4, lr=0.1, policy="one_cycle")
    rates = [m.lr for m in epochs]
    assert max(rates) > 0.05
    assert rates[-1] == pytest.approx(0.1 * 0.1 / 1e4)
    assert epochs[-1].momentum == pytest.approx(0.95)


def test_another_seed_gives_another_order_of_the_batches(digits: TrialData) -> None:
    config = mlp_config()

    def first_batch(seed: int) -> torch.Tensor:
        model = mlp(config, digits)
        batches = spy(model)
        next(fit(model, config, digits, max_epochs=1, seed=seed, device=CPU))
        return batches[0]

    assert torch.equal(first_batch(3), first_batch(3))
    assert not torch.equal(first_batch(3), first_batch(4))
