"""Learning rate and momentum over a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from trainables.training.batches import batch_bounds
from trainables.training.config import TrainingConfig
from trainables.training.schedules import make_schedule

_MOST_POINTS = 5000  # more cannot be told apart on a screen


class Plan(NamedTuple):
    """For how many epochs a training is planned, from the epoch ``begin`` on. For ``cycle_ends``
    see :func:`trainables.training.schedules.make_schedule`."""

    begin: int  # 1 for the first
    max_epochs: int
    cycle_ends: Sequence[int] = ()


class ScheduleData(NamedTuple):
    """The rates at some optimiser steps, which are equally far apart."""

    epochs: list[float]  # trained before the step; 0 for the first
    lr: list[float]
    momentum: list[float]  # betas[0] of AdamW


def schedule_data(config: TrainingConfig, n_train: int, plans: Sequence[Plan]) -> ScheduleData:
    """The rates with which ``config`` trains on ``n_train`` samples, from its first step to its
    last; for a very long training, not at every step. Each of ``plans`` holds until the next."""
    steps_per_epoch = len(batch_bounds(n_train, config.batch_size))
    total = plans[-1].max_epochs * steps_per_epoch
    every = np.linspace(0, total - 1, min(total, _MOST_POINTS)).round().astype(int).tolist()
    steps: list[int] = []
    rates: list[tuple[float, float]] = []
    for plan, following in pairwise([*plans, None]):
        assert plan is not None
        schedule = make_schedule(
            config, steps_per_epoch, plan.max_epochs * steps_per_epoch, plan.cycle_ends
        )
        first = (plan.begin - 1) * steps_per_epoch
        end = math.inf if following is None else (following.begin - 1) * steps_per_epoch
        there = [step for step in every if first <= step < end]
        steps += there
        rates += [schedule(step) for step in there]
    return ScheduleData(
        [step / steps_per_epoch for step in steps],
        [lr for lr, _ in rates],
        [momentum for _, momentum in rates],
    )
