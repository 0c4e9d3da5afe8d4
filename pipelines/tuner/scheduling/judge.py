"""Asks one of Ray's schedulers about trials that Ray itself does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from ray.tune.schedulers import TrialScheduler as Decisions

from pipelines.tuner.scheduling.schedulers import TIME_ATTR
from search_spaces import Config

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler


@dataclass(frozen=True)
class _Trial:
    """The part of a trial that the schedulers look at."""

    trial_id: str
    config: Mapping[str, Any] = field(compare=False, hash=False)


class Judge:
    """Asks ``scheduler`` whether a trial goes on. Trials have their names in the record, so another
    attempt of a trial is the same trial, and none of its epochs is judged twice. Only for
    schedulers that neither pause nor change trials."""

    def __init__(self, scheduler: TrialScheduler, metric: str) -> None:
        self._scheduler: Any = scheduler
        self._metric = metric
        self._trials: dict[str, _Trial] = {}
        self._decided: dict[str, dict[int, bool]] = {}
        for bracket in self._brackets:
            bracket.cutoff = partial(quantile, 1 - 1 / bracket.rf)

    @property
    def _brackets(self) -> Sequence[Any]:
        """ASHA's brackets, with their rungs; other schedulers have none."""
        return getattr(self._scheduler, "_brackets", ())

    def start(self, trial_id: str, config: Config) -> None:
        """A trial starts, or another attempt of a trial."""
        self._trials[trial_id] = trial = _Trial(trial_id, config)
        self._scheduler.on_trial_add(None, trial)

    def stops(self, trial_id: str, epoch: int, value: float) -> bool:
        """Whether a trial that has reached ``value`` ends after ``epoch``. If an attempt that went
        on from a checkpoint reaches an epoch again, the earlier decision stands."""
        decided = self._decided.setdefault(trial_id, {})
        if epoch not in decided:
            result = {TIME_ATTR: epoch, self._metric: value}
            decision = self._scheduler.on_trial_result(None, self._trials[trial_id], result)
            decided[epoch] = bool(decision == Decisions.STOP)
        return decided[epoch]

    def has_stopped(self, trial_id: str, epoch: int) -> bool:
        """Whether :meth:`stops` has said that a running trial ends after ``epoch``."""
        return self._decided.get(trial_id, {}).get(epoch, False)

    def hears(self, trial_id: str, epoch: int, value: float) -> None:
        """Report an epoch of a trial that has ended since: the scheduler decides nothing."""
        asked = [bracket.cutoff for bracket in self._brackets]
        for bracket in self._brackets:
            bracket.cutoff = lambda recorded: None
        try:
            self.stops(trial_id, epoch, value)
        finally:
            for bracket, cutoff in zip(self._brackets, asked, strict=True):
                bracket.cutoff = cutoff
        # The median rule hears no more of a trial that it would have stopped.
        getattr(self._scheduler, "_stopped_trials", set()).discard(self._trials[trial_id])

    def end(self, trial_id: str) -> None:
        """A trial has ended without an error. The scheduler is not told: its ``on_trial_complete``
        asks for the last result again, and the median rule would count that epoch twice."""
        del self._trials[trial_id]
        self._decided.pop(trial_id, None)

    def fail(self, trial_id: str) -> None:
        """An attempt ended with an error."""
        self._scheduler.on_trial_error(None, self._trials.pop(trial_id))


def quantile(share: float, recorded: Mapping[str, float]) -> float | None:
    """The result of ``np.nanpercentile``, which ASHA calls for each decision, in a twentieth of the
    time; for values without NaN. None if nothing is recorded."""
    if not recorded:
        return None
    values = np.fromiter(recorded.values(), float, len(recorded))
    place = (len(values) - 1) * (share * 100 / 100)  # NumPy's percent: it rounds the same
    below = int(place)
    above, part = min(below + 1, len(values) - 1), place - below
    values.partition((below, above))
    low, high = float(values[below]), float(values[above])
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)
