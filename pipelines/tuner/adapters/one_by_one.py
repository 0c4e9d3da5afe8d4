"""Trials that Ray's scheduler pauses: each trial is one of Ray's trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.result import DONE, SHOULD_CHECKPOINT

from pipelines.tuner.adapters.callback import StudyCallback
from pipelines.tuner.attempts import unpack
from pipelines.tuner.epoch_reports import FINISHED, REPORTS


class OneByOne(StudyCallback):
    """For a study whose scheduler pauses trials."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._trials: Sequence[Trial] = ()

    def on_step_end(self, iteration: int, trials: list[Trial], **_: Any) -> None:
        self._trials = trials
        super().on_step_end(iteration, trials)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        trial_id = self._current[trial.trial_id]
        self._keep_printed(trial_id, result)
        (found,) = result[REPORTS]
        if result.get(DONE) and not result[FINISHED]:
            self._ledger.stopped(trial_id)
        if self._report(trial_id, result, found, unpack(trial.config)[0]).save:
            result[SHOULD_CHECKPOINT] = True
        self._show()

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        trial_id = self._current.get(trial.trial_id, "")
        if trial_id not in self._ledger.running:  # it never started
            return
        if trial.status == Trial.PAUSED:
            self._ledger.stopped(trial_id)
        self._conclude(self._ledger.end(trial_id))

    def _show(self, paused: int = 0) -> None:
        super()._show(self._paused(self._trials))

    def _paused(self, trials: Sequence[Trial]) -> int:
        return sum(trial.status == Trial.PAUSED for trial in trials)
