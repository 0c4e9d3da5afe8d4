"""A ledger that is told about trials."""

from __future__ import annotations

from typing import Any

from pipelines.record.trials import FinishedTrial
from pipelines.tuner.attempts import Attempt, Cause
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.reports import Decision, Report, Rules
from trainables.training.metrics import METRICS

WORST = METRICS["val_accuracy"].worst


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Told:
    """A ledger that is told about trials, in as few words as possible."""

    def __init__(self, **rules: Any) -> None:
        self.clock = Clock()
        self.ledger = TrialLedger(
            Rules(**{"metric": "val_accuracy", "trials": 9, **rules}), self.clock
        )

    def start(self, trial: str, repeat_of: str = "", gpus: float = 0.0) -> None:
        self.ledger.start(Attempt(trial, repeat_of=repeat_of), {"lr": 0.1}, gpus)

    def report(self, trial: str, epoch: int, value: float, **more: Any) -> Decision:
        report = Report(epoch, value, {"val_accuracy": value, **more.pop("metrics", {})}, **more)
        return self.ledger.report(trial, report)

    def best(self, trial: str, epoch: int, value: float, **more: Any) -> float | None:
        new = self.report(trial, epoch, value, **more).new_best
        return None if new is None else new.value

    def diverge(self, trial: str, epoch: int) -> Decision:
        return self.report(trial, epoch, WORST, diverged=True, last=True)

    def fail(self, trial: str, cause: Cause = Cause.ERROR, checkpoint: str | None = None) -> Any:
        return self.ledger.fail(trial, cause, checkpoint, "RuntimeError: no luck")

    def end(self, trial: str) -> FinishedTrial:
        return self.ledger.end(trial).trial
