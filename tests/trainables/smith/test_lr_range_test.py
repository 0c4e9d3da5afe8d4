"""The sweep of the LR range test: what it records, when it ends, and that it changes nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS
from trainables.smith import lr_sweep
from trainables.smith.lr_range_test import (
    RangeTest,
    bounds_to_search,
    default_iterations,
    find_bounds,
    learning_rates,
    run_range_test,
)
from trainables.smith.lr_sweep import sweep
from trainables.training import optimizers

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
VALUES: dict[str, dict[str, object]] = {
    "mlp": {"n_layers": 1, "width_1": 32, "lr": 1.0, "batch_norm": True, "dropout": 0.1},
    "cnn": {"n_blocks": 2, "channels": 8, "lr": 1.0, "dropout": 0.1},
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For such small networks a second thread costs more time than it saves."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


def ranged(data: TrialData, model: str = "mlp", config: Any = None, **more: Any) -> RangeTest:
    values = {**VALUES[model], **(config or {})}
    more = {"iterations": 60, "seed": 0, **more}
    return run_range_test(NETWORKS[model], values, data, device=CPU, **more)


class Breaking(nn.Module):
    """``inner``, with a NaN or an error in its n-th training batch."""

    def __init__(self, inner: nn.Module, at: int, error: bool) -> None:
        super().__init__()
        self.inner = inner
        self.at = at
        self.error = error
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.inner(x)
        self.calls += self.training
        if self.training and self.calls == self.at:
            if self.error:
                raise RuntimeError("broken")
            return output * math.nan
        return output


def broken_sweep(data: TrialData, at: int, error: bool) -> tuple[nn.Module, Any]:
    config, inner = NETWORKS["mlp"].build(VALUES["mlp"], data)
    model = Breaking(inner, at, error)
    lrs = learning_rates("exponential", 1e-4, 1, 40)
    return model, lambda: sweep(
        model, config, data, growth="exponential", lrs=lrs, seed=0, device=CPU
    )


def test_linear_growth_has_equal_steps_and_exponential_equal_ratios() -> None:
    linear = learning_rates("linear", 0.1, 1.0, 10)
    assert linear == pytest.approx([0.1 * i for i in range(1, 11)])
    exponential = learning_rates("exponential", 1e-5, 10, 7)
    assert exponential == pytest.approx([10.0**i for i in range(-5, 2)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("linear", 0.0, 1.0, 10), "`low` must be above 0, not 0.0"),
        (("linear", 1.0, 1.0, 10), "`high` must be above `low` = 1, not 1.0"),
        (("exponential", 0.1, math.inf, 10), "`high` must be above `low` = 0.1, not inf"),
        (("exponential", 0.1, 1.0, 0), "iterations must be an integer of at least 2, not 0"),
        (("cubic", 0.1, 1.0, 10), "growth must be one of linear, exponential, not 'cubic'"),
    ],
)
def test_bad_sweeps_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        learning_rates(*arguments)


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "iterations"), [(1078, 128, 150), (3000, 50, 240), (50000, 32, 400)]
)
def test_a_test_takes_four_epochs_within_limits(
    n_samples: int, batch_size: int, iterations: int
) -> None:
    assert default_iterations(n_samples, batch_size) == iterations


@pytest.mark.parametrize(
    ("growth", "optimizer", "high"),
    [("exponential", "sgd", 10), ("linear", "sgd", 1), ("linear", "adamw", 0.1)],
)
def test_where_a_sweep_ends_by_default(
    digits: TrialData, growth: Any, optimizer: str, high: float
) -> None:
    test = ranged(digits, config={"optimizer": optimizer}, growth=growth, iterations=3)
    assert (test.low, test.high, test.growth) == (1e-5, high, growth)


@pytest.mark.parametrize("model", VALUES)
def test_a_sweep_records_every_iteration(digits: TrialData, model: str) -> None:
    test = ranged(digits, model, high=0.3)
    assert (test.stopped, test.iterations, test.iterations_per_epoch) == ("", 60, 34)
    assert len(test.lrs) == len(test.train_losses) == len(test.train_qualities) == 60
    assert test.lrs == pytest.approx(learning_rates("exponential", 1e-5, 0.3, 60))
    assert test.quality_name == "accuracy"
    assert 15 <= len(test.validations) <= 30
    for point in test.validations:
        assert point.lr == test.lrs[point.iteration]
    assert test.validations[0].loss == pytest.approx(math.log(10), rel=0.2)
    assert max(point.quality for point in test.validations) > 0.5
    bounds = find_bounds(test)
    assert 3e-3 < bounds.max_lr < 0.3


def test_regression_follows_r2() -> None:
    test = ranged(load("diabetes"), config={"batch_norm": False}, high=0.1)
    assert test.quality_name == "r2"
    assert max(point.quality for point in test.validations) > 0.3


def test_every_epoch_of_a_sweep_is_shuffled_anew(
    digits: TrialData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    step = lr_sweep._Sweep._step

    def spy(self: Any, lr: float, batch: Tensor) -> tuple[float, float]:
        seen.append(batch)
        return step(self, lr, batch)

    monkeypatch.setattr(lr_sweep._Sweep, "_step", spy)
    ranged(digits, config={"batch_size": 100}, iterations=22, high=0.1)
    first, second = torch.cat(seen[:11]), torch.cat(seen[11:])
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(1078))
    assert not torch.equal(first, second)


def test_momentum_and_weight_decay_stay_and_the_config_decides_no_rate(
    digits: TrialData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spy(optimizer: torch.optim.Optimizer, lr: float, momentum: float) -> None:
        optimizers.set_rates(optimizer, lr, momentum)
        (group,) = optimizer.param_groups
        seen.append((group["lr"], group["momentum"], group["weight_decay"]))

    monkeypatch.setattr(lr_sweep, "set_rates", spy)
    values = {"momentum": 0.7, "weight_decay": 1e-3, "lr": 123.0, "policy": "triangular"}
    test = ranged(digits, config=values, iterations=10, high=0.1)
    assert seen == [(lr, 0.7, 1e-3) for lr in test.lrs]


def test_a_seed_decides_everything(digits: TrialData) -> None:
    tests = [ranged(digits, seed=seed, iterations=20, high=0.1) for seed in (1, 1, 2)]
    assert tests[0] == tests[1] != tests[2]


@pytest.mark.parametrize("model", VALUES)
def test_a_test_leaves_the_generators_as_they_were(digits: TrialData, model: str) -> None:
    before = torch.get_rng_state()
    ranged(digits, model, iterations=5)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("error", [True, False])
def test_a_sweep_leaves_the_model_as_it_was(digits: TrialData, error: bool, training: bool) -> None:
    model, run = broken_sweep(digits, at=20, error=error)
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert any("running_mean" in name for name in before)
    generator = torch.get_rng_state()
    if error:
        with pytest.raises(RuntimeError, match="broken"):
            run()
    else:
        assert run().stopped
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.training == training
    assert torch.equal(torch.get_rng_state(), generator)


def test_a_loss_that_is_not_finite_ends_the_sweep(digits: TrialData) -> None:
    _, run = broken_sweep(digits, at=20, error=False)
    test = run()
    assert test.stopped == "the training loss is nan"
    assert len(test.lrs) == len(test.train_losses) == len(test.train_qualities) == 20
    assert math.isnan(test.train_losses[-1])
    assert all(map(math.isfinite, test.train_losses[:-1]))
    assert all(point.iteration < 19 for point in test.validations)


def test_numbers_for_json_are_finite(digits: TrialData) -> None:
    _, run = broken_sweep(digits, at=20, error=False)
    test = run()
    content = json.loads(json.dumps(test.as_dict(), allow_nan=False))
    assert content["train_losses"] == [*test.train_losses[:-1], None]
    assert content["lrs"] == list(test.lrs)
    assert content["validations"][0]["loss"] == test.validations[0].loss
    assert content["stopped"] == "the training loss is nan"


def test_a_sweep_ends_where_the_loss_is_four_times_its_best(digits: TrialData) -> None:
    test = ranged(digits, config={"batch_norm": False}, high=100)
    assert "over 4 times its best" in test.stopped
    assert len(test.lrs) < 60
    assert test.lrs[-1] > 0.1
    assert find_bounds(test).max_lr < test.lrs[-1] / 2


def test_the_guard_follows_the_mean_and_not_one_batch() -> None:
    guard = lr_sweep._Guard()
    assert not any(guard.stops(loss) for loss in [2.0, 1.0, *[0.5] * 60, 5.0, 0.5, 0.5])
    assert guard.stops(30.0)
    assert "over 4 times its best" in guard.reason


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_the_guard_stops_at_the_first_batch(loss: float) -> None:
    assert lr_sweep._Guard().stops(loss)


def test_validation_is_of_a_bounded_number_of_samples(
    digits: TrialData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lr_sweep, "VALIDATION_SAMPLES", 7)
    few = replace(digits, x_val=digits.x_val[:7], y_val=digits.y_val[:7])
    assert ranged(digits, iterations=20) == ranged(few, iterations=20)


def test_what_cannot_learn_has_no_slope(digits: TrialData) -> None:
    blank = replace(digits, x_train=np.zeros_like(digits.x_train))
    test = ranged(blank, config={"batch_norm": False, "dropout": 0.0}, high=1e-2)
    with pytest.raises(ValueError, match="no usable slope: the loss never falls"):
        find_bounds(test)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_sweep_from_too_high_diverges_at_once(digits: TrialData, optimizer: str) -> None:
    config = {"batch_norm": False, "optimizer": optimizer}
    test = ranged(digits, config=config, low=20, high=100)
    with pytest.raises(ValueError, match=r"diverged at once: .*: begin at a lower learning rate"):
        find_bounds(test)


def test_the_highest_rate_to_search_is_that_of_three_tests(digits: TrialData) -> None:
    made = {seed: ranged(digits, seed=seed) for seed in (5, 6, 7)}
    test, bounds = bounds_to_search(made.__getitem__, 5)
    assert test is made[5]
    alone = [find_bounds(test) for test in made.values()]
    highest = max(b.to_search[1] for b in alone)
    assert highest > min(b.to_search[1] for b in alone)
    assert bounds == replace(alone[0], highest_lr=highest)


def test_a_further_test_that_shows_nothing_is_left_out(digits: TrialData) -> None:
    blank = ranged(
        replace(digits, x_train=np.zeros_like(digits.x_train)),
        config={"batch_norm": False, "dropout": 0.0},
        high=1e-2,
    )
    made = {5: ranged(digits), 6: blank, 7: blank}
    assert bounds_to_search(made.__getitem__, 5)[1] == find_bounds(made[5])
    with pytest.raises(ValueError, match="no usable slope"):
        bounds_to_search({5: blank}.__getitem__, 5)


def test_labels_are_smoothed_as_in_a_training_and_measured_without(digits: TrialData) -> None:
    plain, smoothed = (ranged(digits, "cnn", {"label_smoothing": s}) for s in (0.0, 0.3))
    assert plain.train_losses[0] == smoothed.train_losses[0]
    assert plain.train_losses[30] != smoothed.train_losses[30]
