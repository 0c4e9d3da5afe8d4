"""Follows every trial of a study, its curve and its end, and decides when the study is over."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial
from ray.tune.result import DONE, SHOULD_CHECKPOINT

from pipelines.search.progress import Incumbent, Observer, Progress
from pipelines.search.record import Record
from pipelines.search.samplers import Sampler
from pipelines.search.trial import FINISHED, HAS_WEIGHTS, METRIC_VALUES, WEIGHTS
from pipelines.search.trials import FinishedTrial, State
from trainables.metrics import METRICS

_FAILURES_IN_A_ROW = 3  # from the start: the trainable is broken, not one config


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


@dataclass
class _Running:
    started: float
    node: str = ""
    curve: dict[int, float] = field(default_factory=dict)
    best: Incumbent | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    stopped_by: str = ""


class StudyCallback(Callback):
    """Turns Ray's events into finished trials: recorded, told to the sampler, shown.

    It asks for a checkpoint only where an epoch is better than every trial that has ended soundly:
    the best trial of the study always has one, and few others do. ``best.pt`` changes when a trial
    ends, so it holds the weights of the best trial in the record, and not those of one that went on
    to diverge.
    """

    def __init__(
        self,
        *,
        metric: str,
        sampler: Sampler,
        record: Record,
        stopper: StudyStopper,
        observer: Observer,
        progress: Progress,
    ) -> None:
        self._metric_name = metric
        self._metric = METRICS[metric]
        self._sampler = sampler
        self._record = record
        self._stopper = stopper
        self._observer = observer
        self._progress = progress
        self._started = time.monotonic()
        self._running: dict[str, _Running] = {}
        self._saving: set[str] = set()
        self._best_ended: Incumbent | None = None
        self._incumbent: Incumbent | None = None  # may still be running
        stopper.busy = lambda: bool(self._saving)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing for Ray's own snapshot: the record is what a search goes on from."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        self._running[trial.trial_id] = _Running(time.monotonic())
        self._show()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        running = self._running[trial.trial_id]
        epoch, value = result["epoch"], result[self._metric_name]
        running.node = result.get("node_ip", "")
        running.curve[epoch] = value
        if result["diverged"]:
            running.stopped_by = "divergence"
        elif result.get(DONE) and not result[FINISHED]:
            running.stopped_by = "scheduler"
        incumbent = Incumbent(trial.trial_id, trial.config, value, epoch)
        if result["diverged"] or self._is_better(value, running.best):
            running.best, running.best_metrics = incumbent, result[METRIC_VALUES]
            if result[HAS_WEIGHTS] and self._is_better(value, self._best_ended):
                result[SHOULD_CHECKPOINT] = True
                self._saving.add(trial.trial_id)
        if self._is_better(value, self._incumbent):
            self._incumbent = incumbent
            self._observer.new_best(incumbent)
        self._show()

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        self._saving.discard(trial.trial_id)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        running = self._running.pop(trial.trial_id)
        state = State.PRUNED if running.stopped_by else State.COMPLETE
        self._finish(trial, running, state)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        self._saving.discard(trial.trial_id)
        running = self._running.pop(trial.trial_id, _Running(time.monotonic()))
        error = _traceback(trial)
        self._record.write_error(trial.trial_id, error)
        self._finish(trial, running, State.FAIL, error.strip().splitlines()[-1].strip())
        failed = self._progress.failed
        if failed == self._progress.finished == _FAILURES_IN_A_ROW:
            self._stopper.request("failures")

    def on_experiment_end(self, trials: list[Trial], **_: Any) -> None:
        """Trials cut short with the study keep what they have reached."""
        for trial in trials:
            running = self._running.pop(trial.trial_id, None)
            if running is not None and running.curve:
                running.stopped_by = self._stopper.reason
                self._finish(trial, running, State.PRUNED)

    def _finish(self, trial: Trial, running: _Running, state: State, error: str = "") -> None:
        best = running.best
        finished = FinishedTrial(
            trial_id=trial.trial_id,
            config=dict(trial.config),
            state=state,
            curve=running.curve,
            value=best.value if best else None,
            best_epoch=best.epoch if best else None,
            stopped_by=running.stopped_by,
            metrics=running.best_metrics,
            seconds=time.monotonic() - running.started,
            node=running.node,
            error=error,
        )
        sound = state is not State.FAIL and not finished.diverged
        if best and sound and self._is_better(best.value, self._best_ended):
            self._best_ended = best
            self._keep_weights(trial)
        elif self._incumbent and self._incumbent.trial_id == trial.trial_id and not sound:
            self._incumbent = self._best_remaining()
        self._record.append(finished)
        self._sampler.tell(finished)
        progress = self._progress
        self._progress = replace(
            progress,
            finished=progress.finished + 1,
            stopped=progress.stopped + (finished.stopped_by == "scheduler"),
            diverged=progress.diverged + finished.diverged,
            failed=progress.failed + (state is State.FAIL),
        )
        if state is State.FAIL:
            self._observer.failed(finished)
        self._show()

    def _keep_weights(self, trial: Trial) -> None:
        if trial.checkpoint is None:  # a trainable without a model
            return
        target = self._record.files.weights
        with trial.checkpoint.as_directory() as folder:
            shutil.copyfile(f"{folder}/{WEIGHTS}", target.with_suffix(".part"))
        target.with_suffix(".part").replace(target)

    def _best_remaining(self) -> Incumbent | None:
        best = self._best_ended
        for running in self._running.values():
            if running.best and self._is_better(running.best.value, best):
                best = running.best
        return best

    def _is_better(self, value: float, than: Incumbent | None) -> bool:
        return than is None or self._metric.better(value, than.value)

    def _show(self) -> None:
        self._progress = replace(
            self._progress,
            running=len(self._running),
            best=self._incumbent.value if self._incumbent else None,
            seconds=time.monotonic() - self._started,
        )
        self._observer.progress(self._progress)


def _traceback(trial: Trial) -> str:
    """What the trial raised, as Ray wrote it down."""
    path = Path(trial.error_file or "")
    return path.read_text() if path.is_file() else "unknown error"
