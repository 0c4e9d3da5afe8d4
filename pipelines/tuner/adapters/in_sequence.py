"""Many trials in one process: each of Ray's trials is a process, which trains one after another."""

from __future__ import annotations

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.result import SHOULD_CHECKPOINT

from pipelines.record.trials import REQUIREMENT
from pipelines.tuner.adapters.callback import StudyCallback
from pipelines.tuner.attempts import Attempt, pack, unpack
from pipelines.tuner.epoch_reports import FINISHED, REPORTS
from pipelines.tuner.scheduling.judge import Judge
from search_spaces import Config


class InSequence(StudyCallback):
    """For a study whose scheduler pauses no trial. ``judge`` says which trials go on."""

    def __init__(self, *arguments: Any, judge: Judge, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._judge = judge
        self._ending: set[str] = set()  # Ray's trials that save before their trial ends

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        if not self._trains(trial):  # no trial was left to train
            return
        trial_id, save, stopped, diverged = self._current[trial.trial_id], False, False, False
        by = "scheduler"
        self._keep_printed(trial_id, result)
        if self._record.events is not None:
            sound = [found for found in result[REPORTS] if not found.diverged]
            self._record.events.reported(trial_id, [(found.epoch, found.value) for found in sound])
        for found in result[REPORTS]:
            decision = self._report(trial_id, result, found, None)
            save |= decision.save
            diverged = found.diverged
            stopped = not diverged and self._judge.stops(trial_id, found.epoch, found.value)
            if decision.hopeless and not stopped:
                stopped, by = True, REQUIREMENT
            if stopped:
                break
        if stopped and not result[FINISHED]:
            self._ledger.stopped(trial_id, by)
        ends = stopped or result[FINISHED]
        if save and not diverged:
            result[SHOULD_CHECKPOINT] = True
            if ends:
                self._ending.add(trial.trial_id)
        elif ends:
            self._end(trial)
        self._show()

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        super().on_trial_save(iteration, trials, trial)
        if trial.trial_id in self._ending:
            self._ending.discard(trial.trial_id)
            self._end(trial)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        self._ending.discard(trial.trial_id)
        if self._trains(trial):
            self._judge.fail(self._current[trial.trial_id])
        super().on_trial_error(iteration, trials, trial)

    def _start(self, trial: Trial, config: Config, attempt: Attempt) -> None:
        super()._start(trial, config, attempt)
        self._judge.start(attempt.trial_id, config)

    def _end(self, trial: Trial) -> None:
        """End the trial that Ray's trial trains; the process goes on with the next one, if any."""
        trial_id = self._current[trial.trial_id]
        self._judge.end(trial_id)
        self._conclude(self._ledger.end(trial_id))
        self._go_on(trial)

    def _go_on(self, trial: Trial) -> None:
        large = unpack(trial.config)[1].gpus is not None  # this attempt alone needed a larger share
        following = (
            None if large or self._ledger.reason else self._searcher.following(Trial.generate_id())
        )
        actor = trial.temporary_state.ray_actor
        if actor is None:
            return
        # None is sent too: otherwise the process would train a stopped trial to its end.
        actor.assign.remote(None if following is None else pack(*following))
        if following is not None:
            self._start(trial, *following)
