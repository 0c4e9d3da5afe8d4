"""What a batch size test tells, as pure functions of its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from trainables.training.config import check_choice, check_number

# Share of the highest throughput. Above it there is less to gain than each doubling costs: half of
# the optimiser steps of an epoch.
KNEE = 0.8

# From the ratio of two batch sizes to the ratio of their learning rates.
SCALINGS: dict[str, Callable[[float], float]] = {
    # Goyal et al. 2017 (arXiv 1706.02677, section 2.1): one step on a batch k times as large moves
    # the weights as far as k steps.
    "linear": lambda ratio: ratio,
    # Krizhevsky 2014 (arXiv 1404.5997, section 3.2) and Hoffer et al. 2017 (arXiv 1705.08741,
    # section 4): the variance of a step stays the same.
    "sqrt": math.sqrt,
}


def knee(batch_sizes: Sequence[int], throughputs: Sequence[float]) -> int:
    """The smallest batch that reaches 80% of the highest throughput.

    Each throughput is compared with the highest, not with the one before it, so that the noise of a
    single measurement cannot end the search. Both arguments need the same number of values, at
    least one.
    """
    enough = KNEE * max(throughputs)
    pairs = sorted(zip(batch_sizes, throughputs, strict=True))
    return next(size for size, throughput in pairs if throughput >= enough)


def scale_lr(lr: float, batch_size: int, to: int, rule: str) -> float:
    """The learning rate for batches of ``to`` samples, given a good ``lr`` for ``batch_size``.

    ``rule`` is a key of ``SCALINGS``. Raises ``ValueError`` for any other rule, and for numbers
    that are not above 0.
    """
    check_choice("the rule of scaling", rule, tuple(SCALINGS))
    check_number("lr", lr, "above 0", lambda v: v > 0)
    check_number("the batch size of lr", batch_size, "at least 1", lambda v: v >= 1)
    check_number("the batch size", to, "at least 1", lambda v: v >= 1)
    return lr * SCALINGS[rule](to / batch_size)
