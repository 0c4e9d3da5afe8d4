"""The adapter from Ray Tune's events to the ledger, and from its decisions to what they ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.result import DONE, SHOULD_CHECKPOINT

from pipelines.record.trials import FinishedTrial
from pipelines.record.writing import Record
from pipelines.tuner.attempts import Attempt, unpack
from pipelines.tuner.ledger import Ended, Report, TrialLedger
from pipelines.tuner.outcome import cause_of, exception_of, gpus_of, traceback_of
from pipelines.tuner.progress import Observer
from pipelines.tuner.trial import FINISHED, HAS_WEIGHTS, METRIC_VALUES, NOTICE, WEIGHTS
from search_spaces import Config


class Retries(Protocol):
    """Takes a config that is to have another attempt."""

    def try_again(self, config: Config, attempt: Attempt) -> None: ...


class StudyCallback(Callback):
    """Tells the ledger what Ray says of trials, and does what the ledger decides: asks Ray for a
    checkpoint, keeps weights, records, tells the sampler, shows."""

    def __init__(
        self,
        ledger: TrialLedger,
        *,
        metric: str,
        record: Record,
        tell: Callable[[FinishedTrial], None],
        observer: Observer,
        retries: Retries,
        alive: Callable[[str], bool] = lambda node: True,
    ) -> None:
        """``alive`` says whether the machine at an address is still there."""
        self._ledger = ledger
        self._metric = metric
        self._record = record
        self._tell = tell
        self._observer = observer
        self._retries = retries
        self._alive = alive
        self._ids: dict[str, str] = {}  # what Ray calls a trial -> what the record calls it
        self._trials: dict[str, Trial] = {}  # the latest attempt, by the record's name

    def __getstate__(self) -> dict[str, Any]:
        """Nothing for Ray's own snapshot: the record is what a search goes on from."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Also of a trial that was paused, or that has another attempt."""
        self._know(trial)
        self._show()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        trial_id = self._ids[trial.trial_id]
        last = bool(result.get(DONE))
        report = Report(
            epoch=result["epoch"],
            value=result[self._metric],
            metrics=result[METRIC_VALUES],
            diverged=result["diverged"],
            has_weights=result[HAS_WEIGHTS],
            last=last,
            node=result.get("node_ip", ""),
            leaving=result[NOTICE],
        )
        if last and not result[FINISHED]:
            self._ledger.stopped(trial_id)
        decision = self._ledger.report(trial_id, report, unpack(trial.config)[0])
        if decision.save:
            result[SHOULD_CHECKPOINT] = True
        if decision.new_best:
            self._observer.new_best(decision.new_best)
        self._show()

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        self._ledger.saved(self._ids[trial.trial_id])

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        trial_id = self._ids.get(trial.trial_id, "")
        if trial_id not in self._ledger.running:  # it never started
            return
        if trial.status == Trial.PAUSED:
            self._ledger.stopped(trial_id)
        self._conclude(self._ledger.end(trial_id))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        trial_id = self._know(trial)
        cause = cause_of(exception_of(trial), self._ledger.last_node(trial_id), self._alive)
        checkpoint = None if trial.checkpoint is None else trial.checkpoint.path
        traceback = traceback_of(trial)
        error = traceback.strip().splitlines()[-1].strip()
        outcome = self._ledger.fail(trial_id, cause, checkpoint, error)
        if isinstance(outcome, Ended):
            self._record.write_error(trial_id, traceback)
            self._conclude(outcome)
            self._observer.failed(outcome.trial)
        else:
            self._retries.try_again(*outcome)
            self._observer.tried_again(trial_id, cause, self._ledger.epochs_of(trial_id))

    def on_experiment_end(self, trials: list[Trial], **_: Any) -> None:
        for ended in self._ledger.cut_short():
            self._conclude(ended)

    def _know(self, trial: Trial) -> str:
        """The record's name of a trial, which starts where it is new."""
        if trial.trial_id not in self._ids:
            config, attempt = unpack(trial.config, trial.trial_id)
            self._ids[trial.trial_id] = attempt.trial_id
            self._trials[attempt.trial_id] = trial
            self._ledger.start(attempt, config, gpus_of(trial))
        return self._ids[trial.trial_id]

    def _conclude(self, ended: Ended) -> None:
        trial = ended.trial
        if ended.keep_weights:
            self._keep_weights(trial)
        self._record.append(trial)
        self._tell(trial)
        del self._trials[trial.trial_id]
        self._show()

    def _keep_weights(self, trial: FinishedTrial) -> None:
        checkpoint = self._trials[trial.trial_id].checkpoint
        if checkpoint is None:  # a trainable without a model
            return
        with checkpoint.as_directory() as folder:
            self._record.keep_weights(trial, Path(folder, WEIGHTS))

    def _show(self) -> None:
        paused = sum(trial.status == Trial.PAUSED for trial in self._trials.values())
        self._observer.progress(self._ledger.progress(paused))
