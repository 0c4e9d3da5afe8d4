"""Decides when a trial, and when the study is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ray.tune import Stopper

from trainables.training.metrics import METRICS


class StudyStopper(Stopper):
    """Stops a trial that diverged, and the study at a target value, a time budget or a request."""

    def __init__(
        self, metric: str, target: float | None = None, time_budget: float | None = None
    ) -> None:
        self.reason = ""
        self.busy: Callable[[], bool] = lambda: False
        self._metric = metric
        self._target = target
        self._time_budget = time_budget
        self._started = time.monotonic()

    def request(self, reason: str) -> None:
        self.reason = self.reason or reason

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        value = result[self._metric]
        if self._target is not None and not result["diverged"]:
            metric = METRICS[self._metric]
            if value == self._target or metric.better(value, self._target):
                self.request("target value")
        return bool(result["diverged"])

    def stop_all(self) -> bool:
        if self._time_budget and time.monotonic() - self._started > self._time_budget:
            self.request("time budget")
        return bool(self.reason) and not self.busy()
