"""When to stop a trial. One scheduler is a recipe: a function from the rules to Ray's scheduler."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainables.metrics import Mode

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

TIME_ATTR = "epoch"  # Ray's training_iteration starts again when a trial does


@dataclass(frozen=True)
class StoppingRules:
    metric: str
    mode: Mode
    max_epochs: int
    grace_period: int = 1
    reduction_factor: float = 3


def asha(rules: StoppingRules) -> TrialScheduler:
    """Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934, algorithm 2), the stopping
    kind: rungs at grace_period * reduction_factor^k epochs."""
    from ray.tune.schedulers import AsyncHyperBandScheduler

    return AsyncHyperBandScheduler(
        time_attr=TIME_ATTR,
        metric=rules.metric,
        mode=rules.mode,
        max_t=rules.max_epochs,
        grace_period=rules.grace_period,
        reduction_factor=rules.reduction_factor,
    )


def median(rules: StoppingRules) -> TrialScheduler:
    """The median stopping rule (Golovin et al. 2017, section 3.2.2): a trial goes on only while its
    best is no worse than the median of the others' running means up to the same epoch."""
    from ray.tune.schedulers import MedianStoppingRule

    return MedianStoppingRule(
        time_attr=TIME_ATTR,
        metric=rules.metric,
        mode=rules.mode,
        grace_period=rules.grace_period,
        min_samples_required=3,
        min_time_slice=math.inf,  # otherwise it pauses trials to hear of others first
    )


def none(rules: StoppingRules) -> TrialScheduler:
    """Every trial trains for all its epochs, unless it diverges."""
    from ray.tune.schedulers import FIFOScheduler

    return FIFOScheduler()


SCHEDULERS: dict[str, Callable[[StoppingRules], TrialScheduler]] = {
    "asha": asha,
    "median": median,
    "none": none,
}
