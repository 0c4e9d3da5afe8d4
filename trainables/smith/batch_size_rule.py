"""What a batch size test is read for: pure functions of its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from trainables.training.config import check_choice, check_number

# Of the highest throughput: what is left to gain from there on is less than what every doubling
# costs, which is half of the optimiser steps of an epoch.
KNEE = 0.8

# From the ratio of two batch sizes to that of their learning rates.
SCALINGS: dict[str, Callable[[float], float]] = {
    # Goyal et al. 2017 (arXiv 1706.02677, section 2.1): k steps of a batch and one of k batches
    # move the weights as far.
    "linear": lambda ratio: ratio,
    # Krizhevsky 2014 (arXiv 1404.5997, section 3.2) and Hoffer et al. 2017 (arXiv 1705.08741,
    # section 4): the variance of a step stays what it is.
    "sqrt": math.sqrt,
}


def knee(batch_sizes: Sequence[int], throughputs: Sequence[float]) -> int:
    """The smallest batch that reaches 80% of the highest throughput.

    Measured against the highest, and not from one batch to the next, so that the noise of a single
    measurement does not end the search for it. Both need one value at least, and as many.
    """
    enough = KNEE * max(throughputs)
    pairs = sorted(zip(batch_sizes, throughputs, strict=True))
    return next(size for size, throughput in pairs if throughput >= enough)


def scale_lr(lr: float, batch_size: int, to: int, rule: str) -> float:
    """The learning rate for batches of ``to`` samples, where ``lr`` suits those of ``batch_size``.

    ``rule`` is a key of ``SCALINGS``. Raises ``ValueError`` for another one and for numbers that
    are not above 0.
    """
    check_choice("the rule of scaling", rule, tuple(SCALINGS))
    check_number("lr", lr, "above 0", lambda v: v > 0)
    check_number("the batch size of lr", batch_size, "at least 1", lambda v: v >= 1)
    check_number("the batch size", to, "at least 1", lambda v: v >= 1)
    return lr * SCALINGS[rule](to / batch_size)
