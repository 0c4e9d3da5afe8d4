"""Learning rate and momentum as pure functions of the optimiser step.

The cyclical policies are those of Smith 2015 (arXiv 1506.01186, section 3), and the one-cycle
policy that of Smith 2018 (arXiv 1803.09820, section 4): in them momentum mirrors the learning rate,
``max_momentum`` where it is lowest and ``base_momentum`` where it is ``max_lr``. The cosine is that
of Loshchilov and Hutter 2017 (arXiv 1608.03983, equation 5) without restarts, and the steps are
those of He et al. 2016 (arXiv 1512.03385, section 4.2): both keep the momentum. Value by value they
follow torch's ``CyclicLR``, ``OneCycleLR``, ``CosineAnnealingLR`` and ``MultiStepLR``.

No policy moves weight decay: Smith 2018 (section 4.4) found a constant one to do best.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
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
    return math.ldexp(triangular(cycles), -math.floor(cycles))


def exp_range(cycles: float, epochs: float, gamma: float) -> float:
    """Height in [0, 1] of :func:`triangular`, times ``gamma`` with every epoch."""
    return triangular(cycles) * math.pow(gamma, epochs)


def cosine(progress: float) -> float:
    """Height from 1 to 0 along half a cosine, as ``progress`` goes from 0 to 1."""
    return (1 + math.cos(math.pi * progress)) / 2


def step_decay(progress: float, decay_rate: float, milestones: Sequence[float]) -> float:
    """Height in (0, 1]: times ``decay_rate`` at each of ``milestones``, shares of the training."""
    return math.pow(decay_rate, bisect_right(milestones, progress))


def halving_milestones(n: int) -> list[float]:
    """1/2 of the training, then halfway through what is left, ``n`` in all: 1/2, 3/4, 7/8 ..."""
    return [1 - 0.5**i for i in range(1, n + 1)]


def make_schedule(
    config: TrainingConfig, steps_per_epoch: int, total_steps: int, cycle_ends: Sequence[int] = ()
) -> Schedule:
    """The schedule of ``config.policy``, for the steps from 0 to ``total_steps`` - 1.

    With ``cycle_ends``, epochs in increasing order, one_cycle makes a whole cycle up to each of
    them, and one more to the end of the training where that is later: a training that is stopped at
    one of them has ended a cycle. The other policies do without it.

    Raises ``ValueError`` for ``cycle_ends`` that do not increase, or lie outside of the training.
    """
    if config.policy in ("constant", "cosine", "step"):
        return _from_lr_down(config, total_steps)
    if config.policy == "one_cycle":
        return _chain(config, _cycles(cycle_ends, steps_per_epoch, total_steps))
    return _cyclical(config, steps_per_epoch)


def _from_lr_down(config: TrainingConfig, total_steps: int) -> Schedule:
    lr, momentum = config.lr, config.momentum
    decay_rate, drops = config.decay_rate, halving_milestones(config.n_drops)
    schedules: dict[str, Schedule] = {
        "constant": lambda step: (lr, momentum),
        "cosine": lambda step: (lr * cosine(step / total_steps), momentum),
        "step": lambda step: (lr * step_decay(step / total_steps, decay_rate, drops), momentum),
    }
    return schedules[config.policy]


def _cyclical(config: TrainingConfig, steps_per_epoch: int) -> Schedule:
    cycle = 2 * config.step_size * steps_per_epoch
    heights: dict[str, Callable[[int], float]] = {
        "triangular": lambda step: triangular(step / cycle),
        "triangular2": lambda step: triangular2(step / cycle),
        "exp_range": lambda step: exp_range(step / cycle, step / steps_per_epoch, config.gamma),
    }
    height, rates = heights[config.policy], _band(config, config.lr * config.base_lr_ratio)
    return lambda step: rates(height(step))


def _chain(config: TrainingConfig, cycles: Sequence[tuple[int, int]]) -> Schedule:
    """One cycle after the other, each over the steps from its start to before its end."""
    schedules = [_one_cycle(config, end - start) for start, end in cycles]
    if len(schedules) == 1:
        return schedules[0]
    starts = [start for start, _ in cycles]

    def schedule(step: int) -> tuple[float, float]:
        cycle = bisect_right(starts, step) - 1
        return schedules[cycle](step - starts[cycle])

    return schedule


def _cycles(
    cycle_ends: Sequence[int], steps_per_epoch: int, total_steps: int
) -> list[tuple[int, int]]:
    ends = [epoch * steps_per_epoch for epoch in cycle_ends]
    if any(a >= b for a, b in pairwise([0, *ends])) or any(end > total_steps for end in ends):
        raise ValueError(
            "cycle_ends must increase and lie in the training of "
            f"{total_steps / steps_per_epoch:g} epochs, not be {', '.join(map(str, cycle_ends))}"
        )
    return list(pairwise(sorted({0, *ends, total_steps})))


def _one_cycle(config: TrainingConfig, total_steps: int) -> Schedule:
    # As in torch the peak lies between two steps. With fewer than four it lies before the first:
    # they only go down, and a single one is at the lowest learning rate.
    peak, last = WARM_UP * total_steps - 1, total_steps - 1
    base_lr = config.lr * config.base_lr_ratio
    up, down = _band(config, base_lr), _band(config, base_lr / FINAL_DIVISOR)

    def schedule(step: int) -> tuple[float, float]:
        if step <= peak:
            return up(1 - cosine(step / peak))
        return down(cosine((step - peak) / (last - peak)))

    return schedule


def _band(config: TrainingConfig, lowest_lr: float) -> Callable[[float], tuple[float, float]]:
    """Learning rate and momentum at a height: 0 is ``lowest_lr`` and 1 is max_lr."""
    lr_range = config.lr - lowest_lr
    max_momentum = config.max_momentum
    momentum_range = max_momentum - config.base_momentum
    return lambda height: (lowest_lr + lr_range * height, max_momentum - momentum_range * height)
