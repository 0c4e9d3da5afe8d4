"""When a study ends before all its trials have, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection

from pipelines.record.trials import TIME_BUDGET
from pipelines.tuner.ledger.reports import Rules
from trainables.training.metrics import METRICS

LAST_SAVE = 5.0  # seconds that a study waits for the last saves before it ends
FAILURES_IN_A_ROW = 3  # if the first trials all fail, the trainable is broken, not a config


class Ending:
    """The end of a study: it is requested for a ``reason``, and comes when running trials are
    saved."""

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        self.reason = ""  # "" if no end is requested
        self._rules = rules
        self._clock = clock
        self._requested = 0.0  # when the end was requested
        self._saved: set[str] = set()  # trials saved since then
        self._ended = self._failed = 0  # trials

    def request(self, reason: str) -> None:
        """Request the end of the study; the first reason stands."""
        if not self.reason:
            self.reason, self._requested = reason, self._clock()

    def note_value(self, value: float) -> None:
        """A trial that breaks no requirement has reached ``value``."""
        target = self._rules.target_value
        if target is not None and METRICS[self._rules.metric].reaches(value, target):
            self.request("target value")

    def note_end(self, *, failed: bool) -> None:
        """A trial has ended under this driver."""
        self._ended += 1
        self._failed += failed
        if self._ended == FAILURES_IN_A_ROW == self._failed:
            self.request("failures")

    def note_saved(self, trial_id: str) -> None:
        """A checkpoint of a running trial is written."""
        if self.reason:
            self._saved.add(trial_id)

    @property
    def needs_saves(self) -> bool:
        """Whether running trials are to be saved a last time."""
        return bool(self.reason) and self._rules.saves_last

    def has_saved(self, trial_id: str) -> bool:
        """Whether a trial has been saved since the end was requested."""
        return trial_id in self._saved

    def has_come(self, seconds: float, running: Collection[str]) -> bool:
        """Whether the study must stop its ``running`` trials now, ``seconds`` after its start. It
        waits for their last saves, but not for a slow trial, which has an older checkpoint."""
        budget = self._rules.time_budget
        if budget and seconds > budget:
            self.request(TIME_BUDGET)
        if not self.needs_saves or all(map(self.has_saved, running)):
            return bool(self.reason)
        return self._clock() - self._requested > LAST_SAVE
