"""Clues in curves made by hand, in recorded curves, and in trainings made to show them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
import torch

from trainables.data.datasets import load
from trainables.networks import NETWORKS
from trainables.training.clues import LEAST_EPOCHS, Clue, Kind, clue
from trainables.training.objective import objective_of

DIGITS, WINE, DIABETES = math.log(10), math.log(3), 1.0

# From trainings on the embedded data sets, with the settings that cause the clue.
RECORDED: list[tuple[str, Kind, float, list[float], list[float]]] = [
    (
        "cnn, sgd, lr 1e-5: batch normalisation makes the validation loss rise at first",
        "lr too small",
        DIGITS,
        [2.55, 2.55, 2.55, 2.54, 2.54, 2.54, 2.53, 2.53],
        [2.40, 2.51, 2.55, 2.55, 2.55, 2.54, 2.54, 2.54],
    ),
    (
        "mlp, sgd, lr 1e-5, dropout: the training loss is rough",
        "lr too small",
        WINE,
        [1.31, 1.33, 1.35, 1.38, 1.31, 1.38, 1.39, 1.39, 1.37, 1.32],
        [1.14, 1.14, 1.15, 1.16, 1.16, 1.17, 1.18, 1.19, 1.19, 1.20],
    ),
    (
        "mlp, sgd, lr 2e-3",
        "lr too small",
        DIGITS,
        [2.32, 2.31, 2.29, 2.27, 2.26, 2.24, 2.22, 2.20, 2.17, 2.14],
        [2.31, 2.30, 2.28, 2.26, 2.25, 2.23, 2.21, 2.19, 2.16, 2.12],
    ),
    (
        "mlp, adamw, lr 0.3: thrown to chance at once",
        "lr too large",
        DIGITS,
        [13.8, 2.33, 2.33, 2.32, 2.34, 2.34, 2.33, 2.34, 2.33, 2.34],
        [2.34, 2.32, 2.33, 2.33, 2.34, 2.33, 2.34, 2.32, 2.34, 2.32],
    ),
    (
        "cnn, sgd, lr 4.6: never leaves chance",
        "lr too large",
        DIGITS,
        [2.88, 2.77, 2.85, 2.71, 2.81, 2.83, 2.74, 2.67, 2.64, 2.81],
        [2.62, 2.93, 2.77, 2.70, 2.71, 2.70, 2.73, 2.64, 2.80, 3.00],
    ),
    (
        "mlp, adamw, lr 1, batch normalisation: up and down",
        "lr too large",
        DIGITS,
        [4.72, 2.24, 1.96, 1.94, 2.20, 1.81, 2.04, 1.95, 1.96, 2.34],
        [3.26, 1.28, 1.11, 1.78, 1.55, 1.66, 1.76, 1.87, 2.13, 1.79],
    ),
    (
        "mlp, sgd, lr 4e-3, dropout 0.5, 10 epochs",
        "underfitting",
        DIGITS,
        [2.27, 1.66, 1.25, 1.02, 0.832, 0.736, 0.645, 0.591, 0.519, 0.497],
        [1.95, 1.34, 0.964, 0.756, 0.622, 0.528, 0.458, 0.407, 0.366, 0.332],
    ),
    (
        "cnn, one_cycle",
        "fits",
        DIGITS,
        [2.20, 1.10, 0.233, 0.0997, 0.0687, 0.0443, 0.0280, 0.0201, 0.0187, 0.0164],
        [1.97, 0.45, 0.191, 0.112, 0.123, 0.0884, 0.0816, 0.0766, 0.0759, 0.0722],
    ),
    (
        "mlp, triangular, a cycle every two epochs",
        "fits",
        WINE,
        [1.08, 1.03, 0.994, 0.881, 0.795, 0.604, 0.455, 0.327, 0.238, 0.187, 0.166, 0.109, 0.0824],
        [1.05, 0.983, 0.907, 0.772, 0.639, 0.433, 0.295, 0.165, 0.107, 0.0558, 0.035, 0.02, 0.0178],
    ),
    (
        "mlp, sgd, lr 0.02: flat at what the data allow",
        "fits",
        DIABETES,
        [0.779, 0.504, 0.473, 0.426, 0.412, 0.417],
        [0.606, 0.566, 0.620, 0.563, 0.612, 0.585],
    ),
    (
        "mlp of 512 units on a tenth of the data",
        "overfitting",
        DIABETES,
        [0.711, 0.594, 0.497, 0.379, 0.270, 0.229, 0.256, 0.217, 0.151, 0.112, 0.081, 0.052, 0.029],
        [0.652, 0.604, 0.538, 0.534, 0.592, 0.702, 0.781, 0.700, 0.632, 0.655, 0.728, 0.798, 0.753],
    ),
]


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def decay(start: float, end: float, rate: float, n: int) -> list[float]:
    """An exponential fall from ``start`` towards ``end``."""
    return [end + (start - end) * math.exp(-rate * epoch) for epoch in range(n)]


def read(train: list[float], val: list[float], chance: float | None = DIGITS) -> Clue:
    found = clue(train, val, chance_loss=chance)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "chance", "train", "val"),
    [case[1:] for case in RECORDED],
    ids=[c[0] for c in RECORDED],
)
def test_recorded_curves(kind: Kind, chance: float, train: list[float], val: list[float]) -> None:
    found = read(train, val, chance)
    assert found.kind == kind, found.evidence
    assert found.evidence
    assert "\n" not in found.evidence


def test_every_kind_is_recorded() -> None:
    assert {case[1] for case in RECORDED} == set(get_args(Kind))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("case", RECORDED, ids=[case[0] for case in RECORDED])
def test_the_unit_of_the_loss_does_not_matter(case: Any, scale: float) -> None:
    _, kind, chance, train, val = case
    found = read([x * scale for x in train], [x * scale for x in val], chance * scale)
    assert found.kind == kind


@pytest.mark.parametrize("n", range(LEAST_EPOCHS))
def test_a_few_epochs_tell_nothing_but_divergence(n: int) -> None:
    curve = [9.0, 1.0, 8.0, 2.0, 7.0][:n]
    assert clue(curve, curve, chance_loss=DIGITS) is None
    if n:
        found = clue(curve, curve, chance_loss=DIGITS, diverged=True)
        assert found == Clue(
            "lr too large", f"diverged in epoch {n}", curve[-1], curve[-1], epoch=n
        )


def test_a_divergence_late_in_a_good_training_is_one() -> None:
    train, val = [*decay(2.3, 0.0, 0.5, 9), 1e3], [*decay(2.3, 0.1, 0.5, 9), 1e3]
    found = clue(train, val, chance_loss=DIGITS, diverged=True)
    assert found is not None
    assert (found.kind, found.epoch) == ("lr too large", 10)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_a_divergence(bad: float) -> None:
    losses = decay(2.3, 0.1, 0.5, 9)
    for train, val in (([*losses, bad], [*losses, 0.1]), ([*losses, 0.1], [*losses, bad])):
        found = clue(train, val)
        assert found is not None
        assert found.kind == "lr too large"


def test_losses_without_a_partner_are_refused() -> None:
    with pytest.raises(ValueError, match="6 training and 5 validation losses: give one of each"):
        clue([1.0] * 6, [1.0] * 5)


def test_an_overfitting_says_from_where_on_and_by_how_much() -> None:
    val = [*decay(2.3, 0.2, 0.6, 10), *np.linspace(0.22, 0.6, 10)]
    found = read(decay(2.3, 0.0, 0.5, 20), [float(x) for x in val])
    assert found.kind == "overfitting"
    assert found.epoch in (9, 10, 11)
    assert found.change == pytest.approx(0.53 - 0.21, abs=0.02)  # of the last fifth
    assert f"since epoch {found.epoch} the validation loss has risen from 0.2" in found.evidence


def test_a_validation_loss_that_stops_falling_is_no_overfitting() -> None:
    assert read(decay(2.3, 0.0, 0.5, 20), decay(2.3, 0.4, 0.5, 20)).kind == "fits"


def test_a_rise_in_the_last_two_epochs_may_be_chance() -> None:
    val = [*decay(2.3, 0.0, 0.1, 18), 0.6, 0.6]
    assert read(decay(2.3, 0.0, 0.5, 20), val).kind == "fits"
    assert read(decay(2.3, 0.0, 0.5, 23), [*val, 0.6, 0.6, 0.6]).kind == "overfitting"


def test_losses_that_rise_together_are_no_overfitting() -> None:
    train = [*decay(2.3, 0.6, 0.8, 10), *np.linspace(0.6, 0.9, 10)]
    found = read([float(x) for x in train], [float(x) + 0.05 for x in train])
    assert found.kind != "overfitting"


def test_an_underfitting_has_both_losses_close_high_and_falling() -> None:
    found = read(decay(2.3, 0.0, 0.15, 10), decay(2.25, 0.0, 0.15, 10))
    assert found.kind == "underfitting"
    assert found.change < 0
    assert found.train_loss == pytest.approx(0.75, abs=0.05)
    assert read(decay(2.3, 0.0, 0.15, 40), decay(2.25, 0.0, 0.15, 40)).kind == "fits"  # not high
    assert read(decay(2.3, 0.6, 0.9, 12), decay(2.25, 0.6, 0.9, 12)).kind == "fits"  # not falling
    assert read(decay(2.3, 0.0, 0.15, 10), decay(2.25, 1.0, 0.15, 10)).kind == "fits"  # not close


def test_the_straighter_the_fall_the_smaller_the_learning_rate() -> None:
    kinds = [
        read(decay(2.3, 0.0, rate, 10), decay(2.3, 0.0, rate, 10)).kind
        for rate in (1e-4, 0.01, 0.05, 0.15, 0.3, 0.8)
    ]
    assert kinds == ["lr too small"] * 3 + ["underfitting"] * 2 + ["fits"]


def test_a_jump_from_which_the_training_recovers_is_forgiven() -> None:
    fine, jumped = decay(2.3, 0.02, 0.5, 20), decay(2.3, 0.02, 0.5, 20)
    jumped[8] += 0.8
    assert read(jumped, fine).kind == "fits"
    stays = [*jumped[:8], *(x + 0.9 for x in jumped[8:])]
    found = read(stays, fine)
    assert (found.kind, found.epoch) == ("lr too large", 9)
    assert found.change == pytest.approx(stays[8] - stays[7])


def test_a_loss_far_above_chance_is_near_divergence_whatever_follows() -> None:
    train = [2.3, 9.0, *decay(1.0, 0.02, 0.5, 18)]
    found = read(train, decay(2.3, 0.02, 0.5, 20))
    assert (found.kind, found.epoch, found.change) == ("lr too large", 2, 9.0)


def test_dropout_is_no_unsteadiness() -> None:
    """Dropout moves the training loss, while the validation loss falls smoothly."""
    noise = np.random.default_rng(0).normal(0, 0.15, 30)
    train = [float(x + e) for x, e in zip(decay(2.3, 0.5, 0.3, 30), noise, strict=True)]
    assert statistics_of_rises(train) > 0.025 * DIGITS
    assert read(train, decay(2.3, 0.4, 0.3, 30)).kind == "fits"
    val = [float(x + e) for x, e in zip(decay(2.3, 0.4, 0.3, 30), noise[::-1], strict=True)]
    assert read(train, val).kind == "lr too large"


def statistics_of_rises(losses: list[float]) -> float:
    half = losses[14:]
    return sum(max(0.0, b - a) for a, b in pairwise(half)) / (len(half) - 1)


@pytest.mark.parametrize("seed", range(20))
def test_a_little_noise_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def noisy(losses: list[float]) -> list[float]:
        return [
            float(x * (1 + 0.01 * e)) for x, e in zip(losses, rng.normal(size=99), strict=False)
        ]

    rising = [*decay(2.3, 0.2, 0.6, 10), *map(float, np.linspace(0.22, 0.6, 10))]
    assert read(noisy(decay(2.3, 0.0, 0.5, 20)), noisy(rising)).kind == "overfitting"
    slow = decay(2.3, 0.0, 0.15, 10)
    assert read(noisy(slow), noisy(slow)).kind == "underfitting"
    good = decay(2.3, 0.02, 0.5, 20)
    assert read(noisy(good), noisy(decay(2.3, 0.08, 0.5, 20))).kind == "fits"


@pytest.mark.parametrize("constant", [0.0, 2.3])
def test_a_curve_that_does_not_move_is_no_error(constant: float) -> None:
    found = read([constant] * 6, [constant] * 6)
    assert found.kind == ("lr too small" if constant else "fits")
    assert clue([constant] * 6, [constant] * 6) is not None


@pytest.mark.parametrize("case", RECORDED, ids=[case[0] for case in RECORDED])
def test_without_the_chance_loss_the_first_stands_for_it(case: Any) -> None:
    _, kind, _, train, val = case
    assert read(train, val, chance=None).kind == kind


SHOWN: list[tuple[str, dict[str, Any], Kind]] = [
    ("adamw, lr 1e-5", {"lr": 1e-5, "optimizer": "adamw"}, "lr too small"),
    ("sgd, lr 0.05", {"lr": 0.05}, "fits"),
    ("sgd, lr 3", {"lr": 3.0}, "lr too large"),
]


@pytest.mark.parametrize(("changes", "kind"), [c[1:] for c in SHOWN], ids=[c[0] for c in SHOWN])
def test_trainings_show_what_they_were_set_up_for(
    one_thread: None, changes: dict[str, Any], kind: Kind
) -> None:
    data = load("digits")
    config = {"n_layers": 1, "width_1": 32, "batch_size": 128, **changes}
    training = NETWORKS["mlp"](config, data, max_epochs=12, seed=0, device=torch.device("cpu"))
    epochs = [metrics for metrics, _ in training]
    found = clue(
        [m["train_loss"] for m in epochs],
        [m["val_loss"] for m in epochs],
        chance_loss=objective_of(data).chance_loss,
        diverged=bool(epochs[-1]["diverged"]),
    )
    assert found is not None
    assert found.kind == kind, found.evidence
