"""The training loop: that it learns, is repeatable and can be resumed, and how it diverges."""

import copy
import io
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import trainables.training.fit as fitting
from trainables.data.datasets import TrialData, load
from trainables.device.share import pick_device
from trainables.networks.cnn import CNN
from trainables.networks.cnn_config import CNNConfig
from trainables.networks.mlp import MLP
from trainables.networks.mlp_config import MLPConfig
from trainables.training.batches import batch_bounds, to_tensor
from trainables.training.config import TrainingConfig
from trainables.training.fit import EpochMetrics, Training, fit
from trainables.training.guard import DivergenceGuard
from trainables.training.metrics import DIVERGED_LOSS
from trainables.training.objective import objective_of, worst_by_chance
from trainables.training.optimizers import OPTIMIZERS, make_optimizer, set_rates

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


@pytest.fixture(scope="module")
def diabetes() -> TrialData:
    return load("diabetes")


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


def head(data: TrialData, n: int) -> TrialData:
    return replace(data, x_train=data.x_train[:n], y_train=data.y_train[:n])


def spy(model: nn.Module) -> list[torch.Tensor]:
    """Keeps a copy of every training batch that ``model`` sees."""
    batches: list[torch.Tensor] = []

    def remember(module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if module.training:
            batches.append(args[0].clone())

    model.register_forward_pre_hook(remember)
    return batches


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


def assert_worst(last: EpochMetrics, loss: float = DIVERGED_LOSS) -> None:
    assert last.diverged
    assert last.train_loss == last.val_loss == pytest.approx(loss)
    assert all(math.isfinite(value) for value in last.as_dict().values())


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


def test_another_seed_gives_another_order_of_the_batches(digits: TrialData) -> None:
    config = mlp_config()

    def first_batch(seed: int) -> torch.Tensor:
        model = mlp(config, digits)
        batches = spy(model)
        next(fit(model, config, digits, max_epochs=1, seed=seed, device=CPU))
        return batches[0]

    assert torch.equal(first_batch(3), first_batch(3))
    assert not torch.equal(first_batch(3), first_batch(4))


def test_a_gpu_is_used_where_it_is_granted_and_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (pick_device(0.25).type, pick_device(0).type) == ("cuda", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device(1).type == "cpu"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lr": 0.0}, "lr must be above 0, not 0.0"),
        ({"lr": math.nan}, "lr must be above 0, not nan"),
        ({"lr": "big"}, "lr must be above 0, not 'big'"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), not 1.0"),
        ({"batch_size": 1.5}, "batch_size must be an integer of at least 1, not 1.5"),
        ({"policy": "cyclic"}, "policy must be one of one_cycle, .*constant, not 'cyclic'"),
        ({"optimizer": "adam"}, "optimizer must be one of sgd, adamw, not 'adam'"),
        (
            {"base_momentum": 0.9, "max_momentum": 0.8},
            "base_momentum must not be above max_momentum: 0.9 > 0.8",
        ),
    ],
)
def test_a_bad_value_says_the_rule_and_the_value(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**{"lr": 0.1} | changes)


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
