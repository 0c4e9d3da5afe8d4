"""The schedules, value by value against torch's schedulers."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR

from trainables.config import Policy, TrainingConfig
from trainables.schedules import make_schedule

STEPS_PER_EPOCH, EPOCHS = 7, 12
TOTAL = STEPS_PER_EPOCH * EPOCHS


def config(policy: Policy, **changes: Any) -> TrainingConfig:
    values: dict[str, Any] = {"lr": 0.4, "policy": policy, "base_lr_ratio": 0.05, "gamma": 0.9}
    return TrainingConfig(**values | changes)


def trajectory_of_torch(
    config: TrainingConfig, scheduler: Callable[[torch.optim.Optimizer], LRScheduler], steps: int
) -> list[tuple[float, float]]:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=config.lr, momentum=config.momentum)
    moving = scheduler(optimizer)
    trajectory = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        trajectory.append((float(group["lr"]), float(group["momentum"])))
        optimizer.step()
        moving.step()
    return trajectory


def assert_follows(
    config: TrainingConfig, expected: list[tuple[float, float]], total: int = TOTAL
) -> None:
    schedule = make_schedule(config, STEPS_PER_EPOCH, total)
    actual = [schedule(step) for step in range(len(expected))]
    assert [lr for lr, _ in actual] == pytest.approx([lr for lr, _ in expected], rel=1e-9)
    assert [m for _, m in actual] == pytest.approx([m for _, m in expected], rel=1e-9)


def test_the_constant_policy_never_moves() -> None:
    schedule = make_schedule(config("constant", momentum=0.8), STEPS_PER_EPOCH, TOTAL)
    assert {schedule(step) for step in range(TOTAL)} == {(0.4, 0.8)}


@pytest.mark.parametrize("step_size", [1.0, 2.0, 2.5])
@pytest.mark.parametrize("policy", ["triangular", "triangular2", "exp_range"])
def test_cyclical_policies_follow_torch(policy: Policy, step_size: float) -> None:
    cyclical = config(policy, step_size=step_size)

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

    assert_follows(cyclical, trajectory_of_torch(cyclical, scheduler, TOTAL))


@pytest.mark.parametrize("total", [1, 2, 3, 4, 10, TOTAL])
def test_one_cycle_follows_torch(total: int) -> None:
    one_cycle = config("one_cycle")

    def scheduler(optimizer: torch.optim.Optimizer) -> LRScheduler:
        return OneCycleLR(
            optimizer,
            max_lr=one_cycle.lr,
            total_steps=total,
            pct_start=0.3,
            anneal_strategy="cos",
            div_factor=1 / one_cycle.base_lr_ratio,
            final_div_factor=1e4,
            base_momentum=one_cycle.base_momentum,
            max_momentum=one_cycle.max_momentum,
        )

    expected = trajectory_of_torch(one_cycle, scheduler, total)
    assert_follows(one_cycle, expected, total)


@pytest.mark.parametrize("policy", ["triangular", "triangular2", "exp_range", "one_cycle"])
def test_momentum_mirrors_the_learning_rate(policy: Policy) -> None:
    moving = config(policy, step_size=3)
    schedule = make_schedule(moving, STEPS_PER_EPOCH, TOTAL)
    trajectory = [schedule(step) for step in range(TOTAL)]
    assert trajectory[0] == pytest.approx((moving.lr * moving.base_lr_ratio, moving.max_momentum))
    fastest = max(trajectory)
    assert fastest[1] == min(momentum for _, momentum in trajectory)
    assert all(moving.base_momentum <= m <= moving.max_momentum for _, m in trajectory)
