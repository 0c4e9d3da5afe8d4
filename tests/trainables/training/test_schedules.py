"""The schedules, compared value by value with torch's schedulers, also in very short trainings."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CyclicLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
)

from trainables.training.config import TrainingConfig
from trainables.training.optimizers import OPTIMIZERS, make_optimizer, set_rates
from trainables.training.schedules import POLICIES, make_schedule

STEPS_PER_EPOCH, EPOCHS = 7, 12
TOTAL = STEPS_PER_EPOCH * EPOCHS

Rates = list[tuple[float, float]]
MakeScheduler = Callable[[torch.optim.Optimizer], LRScheduler]

both_optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS)
every_policy = pytest.mark.parametrize("policy", POLICIES)


def config(policy: str, **changes: Any) -> TrainingConfig:
    values: dict[str, Any] = {"lr": 0.4, "policy": policy, "base_lr_ratio": 0.05, "gamma": 0.9}
    return TrainingConfig(**values | changes)


def new_optimizer(config: TrainingConfig) -> torch.optim.Optimizer:
    return make_optimizer(torch.nn.Linear(1, 1), config)


def rates_of(optimizer: torch.optim.Optimizer) -> tuple[float, float]:
    [group] = optimizer.param_groups
    momentum = group["betas"][0] if "betas" in group else group["momentum"]
    return float(group["lr"]), float(momentum)


def of_torch(config: TrainingConfig, scheduler: MakeScheduler, steps: int) -> Rates:
    """The learning rate and momentum at each step, as torch's scheduler sets them."""
    optimizer = new_optimizer(config)
    moving = scheduler(optimizer)
    trajectory = []
    for _ in range(steps):
        trajectory.append(rates_of(optimizer))
        optimizer.step()
        moving.step()
    return trajectory


def of_ours(config: TrainingConfig, total: int = TOTAL, cycle_ends: tuple[int, ...] = ()) -> Rates:
    """The learning rate and momentum at each step, as our schedule sets them."""
    optimizer = new_optimizer(config)
    schedule = make_schedule(config, STEPS_PER_EPOCH, total, cycle_ends)
    trajectory = []
    for step in range(total):
        set_rates(optimizer, *schedule(step))
        trajectory.append(rates_of(optimizer))
    return trajectory


def assert_equal(actual: Rates, expected: Rates) -> None:
    assert [lr for lr, _ in actual] == pytest.approx([lr for lr, _ in expected], rel=1e-9)
    assert [m for _, m in actual] == pytest.approx([m for _, m in expected], rel=1e-9)


def one_cycle_of_torch(config: TrainingConfig, total: int) -> Rates:
    def scheduler(optimizer: torch.optim.Optimizer) -> LRScheduler:
        return OneCycleLR(
            optimizer,
            max_lr=config.lr,
            total_steps=total,
            pct_start=0.3,
            anneal_strategy="cos",
            div_factor=1 / config.base_lr_ratio,
            final_div_factor=1e4,
            base_momentum=config.base_momentum,
            max_momentum=config.max_momentum,
        )

    return of_torch(config, scheduler, total)


@both_optimizers
def test_the_constant_policy_never_moves(optimizer: str) -> None:
    assert set(of_ours(config("constant", momentum=0.8, optimizer=optimizer))) == {(0.4, 0.8)}


@both_optimizers
@pytest.mark.parametrize("total", [1, 2, 3, TOTAL])
def test_cosine_follows_torch(total: int, optimizer: str) -> None:
    annealed = config("cosine", momentum=0.8, optimizer=optimizer)
    expected = of_torch(annealed, lambda o: CosineAnnealingLR(o, T_max=total), total)
    assert_equal(of_ours(annealed, total), expected)


def test_cosine_anneals_from_lr_to_nearly_nothing() -> None:
    rates = [lr for lr, _ in of_ours(config("cosine"))]
    assert rates[0] == 0.4
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.4 / 1000


@both_optimizers
@pytest.mark.parametrize("total", [1, 2, 3, 5, 63, TOTAL])
@pytest.mark.parametrize("n_drops", [1, 2, 3])
def test_step_follows_torch(n_drops: int, total: int, optimizer: str) -> None:
    steps = config("step", momentum=0.8, n_drops=n_drops, decay_rate=0.3, optimizer=optimizer)
    milestones = [math.ceil(share * total) for share in (1 / 2, 3 / 4, 7 / 8)[:n_drops]]
    expected = of_torch(steps, lambda o: MultiStepLR(o, milestones, gamma=0.3), total)
    assert_equal(of_ours(steps, total), expected)


def test_step_drops_by_default_as_he_et_al_did() -> None:
    rates = of_ours(config("step"), 64)  # theirs: 64,000 iterations, of which we take thousands
    assert [rates[n][0] for n in (0, 31, 32, 47, 48, 63)] == pytest.approx(
        [0.4, 0.4, 0.04, 0.04, 0.004, 0.004]
    )


@both_optimizers
@pytest.mark.parametrize("step_size", [1.0, 2.0, 2.5])
@pytest.mark.parametrize("policy", ["triangular", "triangular2", "exp_range"])
def test_several_cycles_follow_torch(policy: str, step_size: float, optimizer: str) -> None:
    cyclical = config(policy, step_size=step_size, optimizer=optimizer)
    assert 2 * step_size * 2 < EPOCHS  # two whole cycles and more

    def scheduler(optimizer: torch.optim.Optimizer) -> LRScheduler:
        return CyclicLR(
            optimizer,
            base_lr=cyclical.lr * cyclical.base_lr_ratio,
            max_lr=cyclical.lr,
            step_size_up=step_size * STEPS_PER_EPOCH,  # type: ignore[arg-type]  # a float works
            mode=policy,  # type: ignore[arg-type]
            gamma=cyclical.gamma ** (1 / STEPS_PER_EPOCH),
            cycle_momentum=True,
            base_momentum=cyclical.base_momentum,
            max_momentum=cyclical.max_momentum,
        )

    assert_equal(of_ours(cyclical), of_torch(cyclical, scheduler, TOTAL))


@both_optimizers
@pytest.mark.parametrize("total", [2, 3, 4, 10, TOTAL])
def test_one_cycle_follows_torch(total: int, optimizer: str) -> None:
    one_cycle = config("one_cycle", optimizer=optimizer)
    assert_equal(of_ours(one_cycle, total), one_cycle_of_torch(one_cycle, total))


@pytest.mark.parametrize("cycle_ends", [(), (1,), (1, 2)])
def test_a_cycle_of_a_single_step_trains_at_the_peak(cycle_ends: tuple[int, ...]) -> None:
    """torch's has a ten thousandth of the lowest learning rate, which trains nothing."""
    one_cycle = config("one_cycle")
    schedule = make_schedule(one_cycle, 1, max(cycle_ends, default=1), cycle_ends)
    for step in range(max(cycle_ends, default=1)):
        assert schedule(step) == (0.4, one_cycle.base_momentum)


@pytest.mark.parametrize(
    ("cycle_ends", "lengths"),
    [
        ((), [12]),
        ((12,), [12]),
        ((1, 3, 9), [1, 2, 6, 3]),
        ((1, 3, 9, 12), [1, 2, 6, 3]),
    ],
)
@both_optimizers
def test_a_chain_is_whole_cycles_of_torch_one_after_the_other(
    cycle_ends: tuple[int, ...], lengths: list[int], optimizer: str
) -> None:
    one_cycle = config("one_cycle", optimizer=optimizer)
    expected = [
        rates
        for epochs in lengths
        for rates in one_cycle_of_torch(one_cycle, epochs * STEPS_PER_EPOCH)
    ]
    assert_equal(of_ours(one_cycle, cycle_ends=cycle_ends), expected)


def test_every_end_of_a_cycle_is_at_the_lowest_learning_rate() -> None:
    chained = config("one_cycle")
    rates = of_ours(chained, cycle_ends=(1, 3, 9))
    for epoch in (1, 3, 9, 12):
        lr, momentum = rates[epoch * STEPS_PER_EPOCH - 1]
        assert (lr, momentum) == pytest.approx((0.4 * 0.05 / 1e4, chained.max_momentum))


@pytest.mark.parametrize("policy", [p for p in POLICIES if p != "one_cycle"])
def test_the_other_policies_know_no_ends_of_cycles(policy: str) -> None:
    assert of_ours(config(policy), cycle_ends=(1, 3)) == of_ours(config(policy))


@pytest.mark.parametrize("cycle_ends", [(0, 3), (-1,), (3, 3), (4, 2), (3, 13)])
def test_ends_of_cycles_that_cannot_be_are_an_error(cycle_ends: tuple[int, ...]) -> None:
    shown = ", ".join(map(str, cycle_ends))
    with pytest.raises(ValueError, match=f"within the training's 12 epochs, not be {shown}$"):
        make_schedule(config("one_cycle"), STEPS_PER_EPOCH, TOTAL, cycle_ends)


@every_policy
@pytest.mark.parametrize(("steps_per_epoch", "epochs"), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)])
def test_a_training_of_very_few_steps_stays_finite_and_in_its_band(
    policy: str, steps_per_epoch: int, epochs: int
) -> None:
    total = steps_per_epoch * epochs
    for cycle_ends in ((), tuple(range(1, epochs + 1))):
        schedule = make_schedule(config(policy), steps_per_epoch, total, cycle_ends)
        for lr, momentum in map(schedule, range(total)):
            assert 0 < lr <= 0.4
            assert 0.85 <= momentum <= 0.95


@every_policy
def test_very_many_cycles_stay_finite(policy: str) -> None:
    schedule = make_schedule(config(policy, step_size=0.01, n_drops=1000), 1000, 10**6)
    for lr, momentum in map(schedule, (0, 10**5 + 3, 10**6 - 1)):
        assert 0 <= lr <= 0.4
        assert 0.85 <= momentum <= 0.95


@pytest.mark.parametrize("policy", ["triangular", "triangular2", "exp_range", "one_cycle"])
def test_momentum_mirrors_the_learning_rate(policy: str) -> None:
    moving = config(policy, step_size=3, base_momentum=0.7, max_momentum=0.9)
    trajectory = of_ours(moving)
    assert trajectory[0] == pytest.approx((moving.lr * moving.base_lr_ratio, 0.9))
    fastest = max(trajectory)
    assert fastest[1] == min(momentum for _, momentum in trajectory)
    assert all(0.7 <= momentum <= 0.9 for _, momentum in trajectory)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policy": "cyclic"}, "policy must be one of one_cycle, .*constant, not 'cyclic'"),
        ({"decay_rate": 0.0}, r"decay_rate must be in \(0, 1\], not 0.0"),
        ({"n_drops": 0}, "n_drops must be an integer of at least 1, not 0"),
    ],
)
def test_a_policy_that_cannot_be_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        TrainingConfig(**{"lr": 0.1} | changes)
