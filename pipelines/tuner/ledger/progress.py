"""The progress of a study in numbers, to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.tuner.attempts import Cause
from search_spaces import Config

_SOON = 2.0  # seconds


@dataclass(frozen=True)
class Progress:
    """A snapshot. ``total`` is the number of trials asked for."""

    total: int
    finished: int = 0
    running: int = 0
    stopped: int = 0  # by the scheduler
    diverged: int = 0
    failed: int = 0
    infeasible: int = 0  # broke a requirement, whether they were trained or not
    best: float | None = None
    seconds: float = 0.0
    time_budget: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """Seconds left at the pace so far, at most until the time budget ends. None if neither is
        known."""
        budget = None if self.time_budget is None else max(self.time_budget - self.seconds, 0.0)
        if not self.finished:
            return budget
        pace = self.seconds / self.finished * (self.total - self.finished)
        return pace if budget is None else min(pace, budget)

    @property
    def ends_soon(self) -> bool:
        """Whether no trial is left to start, or hardly any time is left."""
        soon = self.time_budget is not None and self.time_budget - self.seconds < _SOON
        return soon or self.finished + self.running >= self.total


@dataclass(frozen=True)
class Incumbent:
    """A new best: the metric's value in an epoch of a trial."""

    trial_id: str
    config: Config
    value: float
    epoch: int

    def __str__(self) -> str:
        return f"{shown_score(self.value)} by trial {self.trial_id} in epoch {self.epoch}"


class Observer(Protocol):
    """Is told what happens in a study while it runs."""

    def progress(self, progress: Progress) -> None: ...

    def new_best(self, incumbent: Incumbent) -> None: ...

    def failed(self, trial: FinishedTrial) -> None: ...

    def tried_again(self, trial_id: str, cause: Cause, epoch: int, why: str) -> None:
        """A trial gets another attempt, which goes on after ``epoch``; ``why`` has more details
        than ``cause``."""

    def waits_for(self, what: str) -> None:
        """A trial waits for ``what``, for example for room on a disk."""

    def warns(self, what: str) -> None:
        """The search goes on, but not as asked for: ``what`` says why."""
