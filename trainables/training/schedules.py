"""Learning rate and momentum as pure functions of the optimiser step.

The cyclical policies are those of Smith 2015 (arXiv 1506.01186, section 3), and the one-cycle
policy is that of Smith 2018 (arXiv 1803.09820, section 4). In all of them momentum mirrors the
learning rate: it is ``max_momentum`` when the learning rate is lowest, and ``base_momentum`` at
``max_lr``. The cosine policy is that of Loshchilov and Hutter 2017 (arXiv 1608.03983, equation 5)
without restarts, and the step policy is that of He et al. 2016 (arXiv 1512.03385, section 4.2);
both keep the momentum constant. All values equal those of torch's ``CyclicLR``, ``OneCycleLR``,
``CosineAnnealingLR`` and ``MultiStepLR``, with one exception: a single step of one_cycle is at
``max_lr``, because the lowest learning rate, which torch gives it, hardly changes a network.

No policy changes weight decay: Smith 2018 (section 4.4) found that a constant value does best.

To add a policy, write a function from a config and the length of a training to a schedule, and
enter it in ``POLICIES``: then every search space that has ``policy`` has it too. A hyperparameter
that no other policy has is also a field of ``TrainingConfig``, and has its range in
:mod:`search_spaces.policies`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from trainables.training.config import TrainingConfig

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
    return math.ldexp(triangular(cycles), -math.floor(cycles))


def exp_range(cycles: float, epochs: float, gamma: float) -> float:
    """Height in [0, 1] of :func:`triangular`, multiplied by ``gamma`` with every epoch."""
    return triangular(cycles) * math.pow(gamma, epochs)


def cosine(progress: float) -> float:
    """Height from 1 to 0 along half a cosine, as ``progress`` goes from 0 to 1."""
    return (1 + math.cos(math.pi * progress)) / 2


def step_decay(progress: float, decay_rate: float, milestones: Sequence[float]) -> float:
    """Height in (0, 1], multiplied by ``decay_rate`` at each of ``milestones`` (in [0, 1])."""
    return math.pow(decay_rate, bisect_right(milestones, progress))


def halving_milestones(n: int) -> list[float]:
    """``n`` milestones, each half way through the rest of the training: 1/2, 3/4, 7/8 ..."""
    return [1 - 0.5**i for i in range(1, n + 1)]


class Length(NamedTuple):
    """The length of a training, in optimiser steps."""

    steps_per_epoch: int
    total_steps: int
    cycle_ends: Sequence[int] = ()  # in epochs; see :func:`make_schedule`


@dataclass(frozen=True)
class Policy:
    """How learning rate and momentum change, and the hyperparameters that say how far."""

    make: Callable[[TrainingConfig, Length], Schedule]
    takes: tuple[str, ...]  # the fields of TrainingConfig that it reads, besides lr
    cycles: bool = False  # it goes up and down in 2 * step_size epochs, again and again


def constant(config: TrainingConfig, length: Length) -> Schedule:
    """Learning rate and momentum stay constant."""
    return lambda step: (config.lr, config.momentum)


def cosine_policy(config: TrainingConfig, length: Length) -> Schedule:
    """The learning rate falls from lr to 0 along half a cosine."""
    total = length.total_steps
    return lambda step: (config.lr * cosine(step / total), config.momentum)


def step_policy(config: TrainingConfig, length: Length) -> Schedule:
    """lr drops at half of the training, then half way through what is left."""
    total, drops = length.total_steps, halving_milestones(config.n_drops)
    return lambda step: (
        config.lr * step_decay(step / total, config.decay_rate, drops),
        config.momentum,
    )


def one_cycle(config: TrainingConfig, length: Length) -> Schedule:
    """Up to lr and down to almost 0: one cycle, or one for each of ``cycle_ends``.

    It differs from the paper in one point: a cycle of a single step is at lr.
    """
    return _chain(config, _cycles(length))


def triangular_policy(config: TrainingConfig, length: Length) -> Schedule:
    """Cycles between base_lr and lr in straight lines."""
    return _cyclical(config, length, lambda cycles, epochs: triangular(cycles))


def triangular2_policy(config: TrainingConfig, length: Length) -> Schedule:
    """Like triangular, but each cycle is half as high as the one before."""
    return _cyclical(config, length, lambda cycles, epochs: triangular2(cycles))


def exp_range_policy(config: TrainingConfig, length: Length) -> Schedule:
    """Like triangular, but multiplied by ``gamma`` with every epoch."""
    return _cyclical(config, length, lambda cycles, epochs: exp_range(cycles, epochs, config.gamma))


_BAND = ("base_lr_ratio", "base_momentum", "max_momentum")

POLICIES: dict[str, Policy] = {
    "one_cycle": Policy(one_cycle, _BAND),
    "triangular": Policy(triangular_policy, (*_BAND, "step_size"), cycles=True),
    "triangular2": Policy(triangular2_policy, (*_BAND, "step_size"), cycles=True),
    "exp_range": Policy(exp_range_policy, (*_BAND, "step_size", "gamma"), cycles=True),
    "cosine": Policy(cosine_policy, ("momentum",)),
    "step": Policy(step_policy, ("momentum", "decay_rate", "n_drops")),
    "constant": Policy(constant, ("momentum",)),
}


def make_schedule(
    config: TrainingConfig, steps_per_epoch: int, total_steps: int, cycle_ends: Sequence[int] = ()
) -> Schedule:
    """The schedule of ``config.policy``, for the steps from 0 to ``total_steps`` - 1.

    ``cycle_ends`` are epochs in increasing order. With them, one_cycle makes a whole cycle up to
    each of these epochs, and one more cycle if the training ends later. So a training that is
    stopped at one of these epochs has completed a cycle. The other policies ignore ``cycle_ends``.

    Raises ``ValueError`` for ``cycle_ends`` that do not increase or lie outside the training.
    """
    return POLICIES[config.policy].make(config, Length(steps_per_epoch, total_steps, cycle_ends))


def _cyclical(
    config: TrainingConfig, length: Length, height: Callable[[float, float], float]
) -> Schedule:
    """``height`` in [0, 1] is a function of the cycles and of the epochs so far."""
    cycle = 2 * config.step_size * length.steps_per_epoch
    rates = _band(config, config.lr * config.base_lr_ratio)
    return lambda step: rates(height(step / cycle, step / length.steps_per_epoch))


def _chain(config: TrainingConfig, cycles: Sequence[tuple[int, int]]) -> Schedule:
    """One cycle after the other. Each (start, end) of ``cycles`` covers start <= step < end."""
    schedules = [_one_cycle(config, end - start) for start, end in cycles]
    if len(schedules) == 1:
        return schedules[0]
    starts = [start for start, _ in cycles]

    def schedule(step: int) -> tuple[float, float]:
        cycle = bisect_right(starts, step) - 1
        return schedules[cycle](step - starts[cycle])

    return schedule


def _cycles(length: Length) -> list[tuple[int, int]]:
    steps_per_epoch, total_steps, cycle_ends = length
    ends = [epoch * steps_per_epoch for epoch in cycle_ends]
    if any(a >= b for a, b in pairwise([0, *ends])) or any(end > total_steps for end in ends):
        raise ValueError(
            "cycle_ends must increase and lie within the training's "
            f"{total_steps / steps_per_epoch:g} epochs, not be {', '.join(map(str, cycle_ends))}"
        )
    return list(pairwise(sorted({0, *ends, total_steps})))


def _one_cycle(config: TrainingConfig, total_steps: int) -> Schedule:
    if total_steps == 1:
        return lambda step: (config.lr, config.base_momentum)
    # As in torch, the peak lies between two steps. With two or three steps it lies before the
    # first, and the learning rate only falls.
    peak, last = WARM_UP * total_steps - 1, total_steps - 1
    base_lr = config.lr * config.base_lr_ratio
    up, down = _band(config, base_lr), _band(config, base_lr / FINAL_DIVISOR)

    def schedule(step: int) -> tuple[float, float]:
        if step <= peak:
            return up(1 - cosine(step / peak))
        return down(cosine((step - peak) / (last - peak)))

    return schedule


def _band(config: TrainingConfig, lowest_lr: float) -> Callable[[float], tuple[float, float]]:
    """Learning rate and momentum at a height: 0 means ``lowest_lr``, 1 means max_lr."""
    lr_range = config.lr - lowest_lr
    max_momentum = config.max_momentum
    momentum_range = max_momentum - config.base_momentum
    return lambda height: (lowest_lr + lr_range * height, max_momentum - momentum_range * height)
