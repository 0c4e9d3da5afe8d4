"""The Pareto front of a search with several objectives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.record.goals import Aim, Goals, reached
from pipelines.record.trials import FinishedTrial, State, ranked
from trainables.training.metrics import Metric


def pareto_front(trials: Iterable[FinishedTrial], goals: Goals) -> list[FinishedTrial]:
    """The trials that no other trial dominates, the best in the first objective first. Only trials
    count that trained to their end and break no requirement, because a stopped trial would look
    quick."""
    whole = [t for t in trials if t.state is State.COMPLETE and not t.broken]
    rows = [(goals.values(trial), trial) for trial in whole]
    known = [(v, t) for v, t in rows if None not in v]
    signs = np.array([1.0 if aim.mode == "min" else -1.0 for aim in goals.aims])
    losses = signs * np.array([v for v, _ in known], float).reshape(-1, len(signs))
    order = np.lexsort(losses.T[::-1])
    return [known[row][1] for row in _unbeaten(losses, order)]


def ranked_by(
    trials: Iterable[FinishedTrial], metric: Metric, also: Sequence[Aim]
) -> list[FinishedTrial]:
    """Like :func:`ranked`. Among trials with equal values, those that trained to their end come
    first, and then those that are better in the objectives ``also``, in their order."""
    order = ranked(trials, metric)
    if not also:
        return order
    sign = 1 if metric.mode == "min" else -1

    def key(trial: FinishedTrial) -> tuple[float, ...]:
        values = [(reached(trial, aim.name), aim.mode) for aim in also]
        losses = [math.inf if v is None else v if mode == "min" else -v for v, mode in values]
        return (sign * (trial.value or 0.0), trial.state is not State.COMPLETE, *losses)

    return sorted(order, key=key)


def _unbeaten(losses: np.ndarray, order: Sequence[int] | np.ndarray) -> list[int]:
    """The rows that no other row beats. In ``order``, no row is beaten by a later one."""
    found: list[int] = []
    for row in order:
        better = losses[found]
        beaten = (better <= losses[row]).all(axis=1) & (better < losses[row]).any(axis=1)
        if not beaten.any():
            found.append(int(row))
    return found
