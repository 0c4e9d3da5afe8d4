"""At which epochs a trial was compared with the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipelines.record.trials import FinishedTrial
from pipelines.tuner.scheduling.schedulers import ends_cycle


def compared_at(
    trial: FinishedTrial, rungs: Sequence[int], *, at_cycle_ends: bool = False
) -> dict[int, int]:
    """The epoch at which ``trial`` was compared, for each rung where it was: the rung itself or,
    with ``at_cycle_ends``, the first end of a cycle at or after the rung. A trial whose cycle goes
    on to the next rung is not compared at the first. The last rung is the end of the training."""
    found: dict[int, int] = {}
    followings = [*rungs[1:], math.inf]  # longer than `rungs` if there are none
    for rung, following in zip(rungs, followings, strict=False):
        for epoch in sorted(trial.curve):
            waits = at_cycle_ends and epoch < rungs[-1] and not ends_cycle(trial.config, epoch)
            if rung <= epoch < following and not waits:
                found[rung] = epoch
                break
    return found
