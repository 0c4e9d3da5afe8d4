"""The Pareto front of a search with several objectives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.record.goals import Goals
from pipelines.record.trials import FinishedTrial, State


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


def _unbeaten(losses: np.ndarray, order: Sequence[int] | np.ndarray) -> list[int]:
    """In ``order``, by which none is beaten by one that comes after it."""
    found: list[int] = []
    for row in order:
        better = losses[found]
        beaten = (better <= losses[row]).all(axis=1) & (better < losses[row]).any(axis=1)
        if not beaten.any():
            found.append(int(row))
    return found
