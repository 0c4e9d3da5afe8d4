"""The Pareto front of a search with several objectives."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.record.goals import Aim, Goals, reached
from pipelines.record.trials import FinishedTrial, State, ranked
from trainables.training.metrics import Metric


def pareto_front(trials: Iterable[FinishedTrial], goals: Goals) -> list[FinishedTrial]:
    """The trials that no other beats in one objective without losing in another, the best of the
    first objective first. Those alone count that trained to their end and break no requirement: to
    have been stopped would make a trial look quick."""
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
    """As :func:`ranked`; of trials with an equal value those come first that trained to their end,
    and of these the better ones in the further objectives, in their order."""
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
    """In ``order``, by which none is beaten by one that comes after it."""
    found: list[int] = []
    for row in order:
        better = losses[found]
        beaten = (better <= losses[row]).all(axis=1) & (better < losses[row]).any(axis=1)
        if not beaten.any():
            found.append(int(row))
    return found
