"""Learning rate and momentum as pure functions of the optimiser step.

The cyclical policies are those of Smith 2015 (arXiv 1506.01186, section 3), and the one-cycle
policy that of Smith 2018 (arXiv 1803.09820, section 4); value by value they follow torch's
``CyclicLR`` and ``OneCycleLR``. Momentum mirrors the learning rate: it is ``max_momentum`` where
the learning rate is ``base_lr``, and ``base_momentum`` where it is ``max_lr``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from trainables.config import TrainingConfig

# From the optimiser step, counted from 0, to (learning rate, momentum).
Schedule: TypeAlias = Callable[[int], tuple[float, float]]

# torch's defaults for OneCycleLR.
WARM_UP = 0.3  # share of the steps in which the learning rate rises
FINAL_DIVISOR = 1e4  # base_lr / the learning rate of the last step


def triangular(cycles: float) -> float:
    """Height in [0, 1] after ``cycles`` cycles: up and down again in straight lines."""
    return 1 - abs(2 * (cycles % 1) - 1)


def triangular2(cycles: float) -> float:
    """Height in [0, 1] of :func:`triangular`, halved with every cycle."""
    return triangular(cycles) / 2.0 ** math.floor(cycles)


def exp_range(cycles: float, epochs: float, gamma: float) -> float:
    """Height in [0, 1] of :func:`triangular`, times ``gamma`` with every epoch."""
    return triangular(cycles) * math.pow(gamma, epochs)


def cosine(progress: float) -> float:
    """From 0 to 1 along half a cosine, as ``progress`` goes from 0 to 1."""
    return (1 - math.cos(math.pi * progress)) / 2


def make_schedule(config: TrainingConfig, steps_per_epoch: int, total_steps: int) -> Schedule:
    """The schedule of ``config.policy`` over a training of ``total_steps`` optimiser steps.

    Only one_cycle depends on ``total_steps``; its ``config.step_size`` and ``config.gamma`` are
    not used.
    """
    if config.policy == "constant":
        return lambda step: (config.lr, config.momentum)
    if config.policy == "one_cycle":
        return _one_cycle(config, total_steps)
    return _cyclical(config, steps_per_epoch)


def _cyclical(config: TrainingConfig, steps_per_epoch: int) -> Schedule:
    cycle = 2 * config.step_size * steps_per_epoch
    heights: dict[str, Callable[[int], float]] = {
        "triangular": lambda step: triangular(step / cycle),
        "triangular2": lambda step: triangular2(step / cycle),
        "exp_range": lambda step: exp_range(step / cycle, step / steps_per_epoch, config.gamma),
    }
    height, base_lr = heights[config.policy], config.lr * config.base_lr_ratio
    return lambda step: _at(height(step), config, base_lr)


def _one_cycle(config: TrainingConfig, total_steps: int) -> Schedule:
    peak, last = WARM_UP * total_steps - 1, total_steps - 1
    base_lr = config.lr * config.base_lr_ratio

    def schedule(step: int) -> tuple[float, float]:
        if step <= peak:
            return _at(cosine(step / peak), config, base_lr)
        return _at(1 - cosine((step - peak) / (last - peak)), config, base_lr / FINAL_DIVISOR)

    return schedule


def _at(height: float, config: TrainingConfig, lowest_lr: float) -> tuple[float, float]:
    """Learning rate and momentum at ``height``: 0 is ``lowest_lr`` and 1 is max_lr."""
    lr = lowest_lr + (config.lr - lowest_lr) * height
    momentum = config.max_momentum - (config.max_momentum - config.base_momentum) * height
    return lr, momentum
