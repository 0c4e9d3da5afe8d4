"""Follows every trial of a study: its curve, its attempts and its end."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.result import DONE, SHOULD_CHECKPOINT

from pipelines.search.attempts import Attempt, cause_of, unpack
from pipelines.search.outcome import exception_of, gpus_of, id_of, traceback_of
from pipelines.search.progress import Incumbent, Observer, Progress
from pipelines.search.record import Record
from pipelines.search.samplers import Sampler
from pipelines.search.stopper import StudyStopper
from pipelines.search.trial import FINISHED, HAS_WEIGHTS, METRIC_VALUES, NOTICE, WEIGHTS
from pipelines.search.trials import FinishedTrial, State
from search_spaces import Config
from trainables.training.clues import clue
from trainables.training.metrics import METRICS

_CHECKPOINT_EVERY = 60.0  # seconds of a trial that are lost at most with its machine
_ON_NOTICE = 1.0  # the same on a machine that is about to be taken away
_FAILURES_IN_A_ROW = 3  # from the start: the trainable is broken, not one config


class Retries(Protocol):
    """Takes a config that is to have another attempt."""

    def try_again(self, config: Config, attempt: Attempt) -> None: ...


@dataclass
class _Reached:
    """What a trial has reached, up to an epoch."""

    curve: dict[int, float] = field(default_factory=dict)
    best: Incumbent | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    losses: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    changes: dict[int, Config] = field(default_factory=dict)


@dataclass
class _Running:
    started: float
    config: Config
    attempt: Attempt
    trial: Trial
    reached: _Reached = field(default_factory=_Reached)
    saved: _Reached = field(default_factory=_Reached)  # at the last checkpoint
    saved_at: float = 0.0
    nodes: list[str] = field(default_factory=list)
    stopped_by: str = ""


class StudyCallback(Callback):
    """Turns Ray's events into finished trials: recorded, told to the sampler, shown.

    It asks for a checkpoint where an epoch is better than every trial that has ended soundly, so
    that the best trial of the study always has one, and once a minute of a trial, or at once where
    its machine is about to be taken away, so that no more is lost with it. ``best.pt`` changes when
    a trial ends: it holds the weights of the best trial in the record, and not those of one that
    went on to diverge.
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
        retries: Retries,
        max_failures: int = 0,
        alive: Callable[[str], bool] = lambda node: True,
        chance_loss: float | None = None,
    ) -> None:
        """``alive`` says whether the machine at an address is still there; ``chance_loss`` is that
        of a model that has learnt nothing, where it is known."""
        self._metric_name = metric
        self._metric = METRICS[metric]
        self._sampler = sampler
        self._record = record
        self._stopper = stopper
        self._observer = observer
        self._progress = progress
        self._retries = retries
        self._max_failures = max_failures
        self._alive = alive
        self._chance_loss = chance_loss
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
        """Also of a trial that was paused, or that has another attempt."""
        config, attempt = unpack(trial.config, trial.trial_id)
        now = time.monotonic()
        running = self._running.setdefault(
            attempt.trial_id, _Running(now, config, attempt, trial, saved_at=now)
        )
        running.trial, running.attempt = trial, attempt
        self._show()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        running = self._running_of(trial)
        epoch, value = result["epoch"], result[self._metric_name]
        self._note_changes(running, epoch)
        reached = running.reached
        node = result.get("node_ip", "")
        if node not in running.nodes:
            running.nodes.append(node)
        reached.curve[epoch] = value
        values = result[METRIC_VALUES]
        reached.losses[epoch] = (values.get("train_loss"), values.get("val_loss"))
        if result["diverged"]:
            running.stopped_by = "divergence"
        elif result.get(DONE) and not result[FINISHED]:
            running.stopped_by = "scheduler"
        incumbent = Incumbent(running.attempt.trial_id, running.config, value, epoch)
        if result["diverged"] or self._is_better(value, reached.best):
            reached.best, reached.best_metrics = incumbent, values
            if result[HAS_WEIGHTS] and self._is_better(value, self._best_ended):
                self._ask_to_save(running, result)
        most = _ON_NOTICE if result[NOTICE] else _CHECKPOINT_EVERY
        if time.monotonic() - running.saved_at > most and not result.get(DONE):
            self._ask_to_save(running, result)
        if self._is_better(value, self._incumbent):
            self._incumbent = incumbent
            self._observer.new_best(incumbent)
        self._show()

    def _ask_to_save(self, running: _Running, result: dict[str, Any]) -> None:
        result[SHOULD_CHECKPOINT] = True
        self._saving.add(running.trial.trial_id)

    def _note_changes(self, running: _Running, epoch: int) -> None:
        """Population based training changes a trial's config: its value is that of the latest."""
        config, _ = unpack(running.trial.config)
        if config != running.config:
            running.config = config
            running.reached.changes[epoch] = config
            running.reached.best = None
            if self._incumbent and self._incumbent.trial_id == running.attempt.trial_id:
                self._incumbent = self._best_remaining()

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        self._saving.discard(trial.trial_id)
        running = self._running.get(id_of(trial))
        if running is not None:
            running.saved, running.saved_at = copy.deepcopy(running.reached), time.monotonic()

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        running = self._running.pop(id_of(trial), None)
        if running is None:  # it never started
            return
        if trial.status == Trial.PAUSED:
            running.stopped_by = "scheduler"
        state = State.PRUNED if running.stopped_by else State.COMPLETE
        self._finish(running, state)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        self._saving.discard(trial.trial_id)
        config, attempt = unpack(trial.config, trial.trial_id)
        running = self._running.pop(
            attempt.trial_id, _Running(time.monotonic(), config, attempt, trial)
        )
        node = running.nodes[-1] if running.nodes else ""
        cause = cause_of(exception_of(trial), node, self._alive)
        checkpoint = None if trial.checkpoint is None else trial.checkpoint.path
        again = attempt.after(
            cause, self._max_failures, checkpoint or attempt.checkpoint, gpus_of(trial)
        )
        if again is not None:
            running.reached = copy.deepcopy(running.saved)
            running.attempt = again
            self._running[attempt.trial_id] = running
            self._retries.try_again(running.config, again)
            self._observer.tried_again(
                attempt.trial_id, cause, max(running.reached.curve, default=0)
            )
            return
        error = traceback_of(trial)
        self._record.write_error(attempt.trial_id, error)
        self._finish(running, State.FAIL, error.strip().splitlines()[-1].strip())
        failed = self._progress.failed
        if failed == self._progress.finished == _FAILURES_IN_A_ROW:
            self._stopper.request("failures")

    def on_experiment_end(self, trials: list[Trial], **_: Any) -> None:
        """Trials cut short with the study keep what they have reached."""
        for trial_id in list(self._running):
            running = self._running.pop(trial_id)
            if running.reached.curve:
                running.stopped_by = self._stopper.reason
                self._finish(running, State.PRUNED)

    def _finish(self, running: _Running, state: State, error: str = "") -> None:
        reached, attempt = running.reached, running.attempt
        best = reached.best
        finished = FinishedTrial(
            trial_id=attempt.trial_id,
            config=running.config,
            state=state,
            curve=reached.curve,
            value=best.value if best else None,
            best_epoch=best.epoch if best else None,
            stopped_by=running.stopped_by,
            metrics=reached.best_metrics,
            seconds=time.monotonic() - running.started,
            node=" ".join(running.nodes),
            gpus=gpus_of(running.trial),
            error=error,
            losses=attempt.losses,
            errors=attempt.errors,
            clue=self._clue(running),
            changes=reached.changes,
        )
        sound = state is not State.FAIL and not finished.diverged
        if best and sound and self._is_better(best.value, self._best_ended):
            self._best_ended = best
            self._keep_weights(running.trial)
        elif self._incumbent and self._incumbent.trial_id == attempt.trial_id and not sound:
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

    def _clue(self, running: _Running) -> str:
        """What the curves of both losses tell; nothing where they were not reported."""
        losses = [running.reached.losses[epoch] for epoch in sorted(running.reached.losses)]
        train = [t for t, _ in losses if t is not None]
        val = [v for _, v in losses if v is not None]
        if not losses or not len(train) == len(val) == len(losses):
            return ""
        diverged = running.stopped_by == "divergence"
        found = clue(train, val, chance_loss=self._chance_loss, diverged=diverged)
        return found.kind if found else ""

    def _keep_weights(self, trial: Trial) -> None:
        if trial.checkpoint is None:  # a trainable without a model
            return
        target = self._record.files.weights
        with trial.checkpoint.as_directory() as folder:
            shutil.copyfile(f"{folder}/{WEIGHTS}", target.with_suffix(".part"))
        target.with_suffix(".part").replace(target)

    def _running_of(self, trial: Trial) -> _Running:
        return self._running[id_of(trial)]

    def _best_remaining(self) -> Incumbent | None:
        best = self._best_ended
        for running in self._running.values():
            if running.reached.best and self._is_better(running.reached.best.value, best):
                best = running.reached.best
        return best

    def _is_better(self, value: float, than: Incumbent | None) -> bool:
        return than is None or self._metric.better(value, than.value)

    def _show(self) -> None:
        self._progress = replace(
            self._progress,
            running=sum(r.trial.status != Trial.PAUSED for r in self._running.values()),
            best=self._incumbent.value if self._incumbent else None,
            seconds=time.monotonic() - self._started,
        )
        self._observer.progress(self._progress)
