"""The adapter from Ray Tune's events to the ledger, and from the ledger's decisions to actions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial

from pipelines.cluster.events import tell
from pipelines.cluster.sharing import no_cuda_at
from pipelines.record.trials import FinishedTrial
from pipelines.record.writing import Record
from pipelines.tuner.adapters.idle import Idle
from pipelines.tuner.adapters.live import LiveState
from pipelines.tuner.adapters.searcher import StudySearcher
from pipelines.tuner.attempts import Attempt, Cause, unpack
from pipelines.tuner.checkpoints import Checkpoints
from pipelines.tuner.epoch_reports import (
    FINISHED,
    HAS_STATE,
    HAS_WEIGHTS,
    NO_CUDA,
    NOTICE,
    PRINTED,
    EpochReport,
)
from pipelines.tuner.ledger.before import Unfinished
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.progress import Observer
from pipelines.tuner.ledger.reports import Decision, Ended, Report
from pipelines.tuner.outcome import Failure, failure_of, gpus_of
from pipelines.tuner.worker.trial import WEIGHTS
from search_spaces import Config

_LOOK_EVERY = 1.0  # seconds between two checks for hung trials, and for trials that run at all


@dataclass(frozen=True)
class Machines:
    """What a search asks about the machines that it runs on."""

    alive: Callable[[str], bool] = lambda node: True  # whether the one at an address is there
    words: Callable[[], str] = lambda: ""  # what a trial that waits for its storage says, once
    why_idle: Callable[[], str] = lambda: ""  # why no trial runs; "" for unknown reasons
    without_cuda: set[str] = field(default_factory=set)  # addresses that the user was warned of


class StudyCallback(Callback):
    """Tells the ledger what Ray says about trials, and does what the ledger decides: keep weights,
    record a trial, tell the sampler, try a trial again, show the progress. For the two kinds of
    studies see :mod:`.one_by_one` and :mod:`.in_sequence`."""

    def __init__(
        self,
        ledger: TrialLedger,
        *,
        record: Record,
        tell: Callable[[FinishedTrial], None],
        observer: Observer,
        searcher: StudySearcher,
        live: LiveState,
        checkpoints: Checkpoints,
        machines: Machines,
    ) -> None:
        self._ledger = ledger
        self._record = record
        self._tell = tell
        self._observer = observer
        self._searcher = searcher
        self._live = live
        self._checkpoints = checkpoints
        self._machines = machines
        self._current: dict[str, str] = {}  # Ray's trial -> the recorded trial that it trains
        self._idle = Idle(machines.why_idle)
        self._looked = self._heard = time.monotonic()
        self._was_away = False  # since the last look
        self._hung: set[str] = set()  # Ray's trials whose processes were killed

    def __getstate__(self) -> dict[str, Any]:
        """Nothing for Ray's own snapshot: a search is resumed from the record."""
        return {}

    def on_step_end(self, iteration: int, trials: list[Trial], **_: Any) -> None:
        """Ray calls this several times a second, whether something has happened or not. The process
        that had reported is training again by now, so writing to disk delays no trial."""
        self._record.flush()
        self._live.step(self._paused(trials))

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Ray calls this for a trial that was paused, too."""
        if self._trains(trial):
            self._ledger.heard(self._current[trial.trial_id])
        self._show()

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        trial_id = self._current[trial.trial_id]
        if trial.checkpoint is not None:
            place = self._checkpoints.add(trial_id, trial.checkpoint)
            metrics = self._ledger.since_saved(trial_id)
            if self._record.events is not None and metrics:
                self._record.events.saved(trial_id, place, metrics)
                self._record.flush()  # at once: Ray has deleted the previous checkpoint
        self._ledger.saved(trial_id)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        if not self._trains(trial):
            return
        trial_id = self._current.pop(trial.trial_id)
        failure = self._failure(trial, trial_id)
        for found in failure.reports:
            self._ledger.note(trial_id, found.epoch, found.value, found.metrics)
        short = failure.cause is Cause.NO_MEMORY
        outcome = self._ledger.fail(
            trial_id,
            failure.cause,
            self._checkpoints.path(trial_id),
            failure.error,
            alone=not (short and self._searcher.fewer()),
        )
        if isinstance(outcome, Ended):
            self._record.write_error(trial_id, failure.traceback)
            self._conclude(outcome)
            if not outcome.trial.cut_short:  # otherwise the storage failed, not the trial
                self._observer.failed(outcome.trial)
        else:
            _, again = outcome
            if self._record.events is not None:
                self._record.events.tried_again(trial_id, again.counts)
            self._searcher.try_again(*outcome)
            epoch = self._ledger.epochs_of(trial_id)
            self._observer.tried_again(trial_id, failure.cause, epoch, failure.error)

    def ends_at_once(self, config: Config, attempt: Attempt) -> bool:
        """Whether a trial ends before it starts: see
        :meth:`pipelines.tuner.ledger.ledger.TrialLedger.not_trained`."""
        ended = self._ledger.not_trained(attempt, config)
        if ended is not None:
            self._conclude(ended)
        return ended is not None

    def end_stopped(self, trial: Unfinished) -> None:
        """End a trial that was stopped and saved when its driver was killed."""
        self._ledger.start(trial.attempt, trial.config)
        self._ledger.stopped(trial.attempt.trial_id)
        self._conclude(self._ledger.end(trial.attempt.trial_id))

    def on_step_begin(self, iteration: int, trials: list[Trial], **_: Any) -> None:
        """Kill the processes of hung trials: Ray then reports them as dead. Also show why a trial
        waits while it saves, and why no trial runs."""
        self._hear()
        if self._heard - self._looked < _LOOK_EVERY:
            return
        self._looked = self._heard
        was_away, self._was_away = self._was_away, False
        words = self._machines.words()  # always taken: old words must not be shown at the next save
        if words and self._ledger.saving:
            self._observer.waits_for(words)
        if why := self._idle.look(runs=any(trial.status == Trial.RUNNING for trial in trials)):
            self._observer.waits_for(why)
        if was_away:  # what trials have reported meanwhile is heard first
            return
        for trial in trials:
            actor = trial.temporary_state.ray_actor
            trial_id = self._current.get(trial.trial_id)
            runs = trial.status == Trial.RUNNING and trial_id in self._ledger.running
            if runs and actor is not None and self._ledger.is_hung(str(trial_id)):
                self._hung.add(trial.trial_id)
                ray.kill(actor)

    def _hear(self) -> None:
        """Tell the ledger if this process has heard no trial for a while, because it was stopped,
        or waited for a disk."""
        now = time.monotonic()
        away, self._heard = now - self._heard, now
        if away > _LOOK_EVERY:
            self._was_away = True
            self._ledger.was_away(away)

    def _failure(self, trial: Trial, trial_id: str) -> Failure:
        if trial.trial_id in self._hung:
            return Failure(Cause.HUNG, Cause.HUNG.value, Cause.HUNG.value)
        return failure_of(trial, self._ledger.last_node(trial_id), self._machines.alive)

    def on_experiment_end(self, trials: list[Trial], **_: Any) -> None:
        for ended in self._ledger.cut_short():
            self._conclude(ended)
        self._record.flush()

    def _know(self, trial: Trial) -> str:
        """The name in the record of the trial that Ray's trial trains. A new trial is started."""
        if trial.trial_id not in self._current:
            config, attempt = unpack(trial.config, trial.trial_id)
            self._start(trial, config, attempt)
        return self._current[trial.trial_id]

    def _trains(self, trial: Trial) -> bool:
        """Whether Ray's trial is training a recorded trial now. A new trial is started."""
        return self._know(trial) in self._ledger.running

    def _start(self, trial: Trial, config: Config, attempt: Attempt) -> None:
        self._current[trial.trial_id] = attempt.trial_id
        self._ledger.start(attempt, config, gpus_of(trial))

    def _keep_printed(self, trial_id: str, result: Mapping[str, Any]) -> None:
        if text := result.get(PRINTED):
            self._record.write_printed(trial_id, text)

    def _report(
        self, trial_id: str, result: dict[str, Any], found: EpochReport, config: Config | None
    ) -> Decision:
        """What follows from an epoch."""
        self._hear()
        node = result.get("node_ip", "")
        if result.get(NO_CUDA) and node not in self._machines.without_cuda:
            self._machines.without_cuda.add(node)
            self._observer.warns(no_cuda_at(node))
        report = Report(
            epoch=found.epoch,
            value=found.value,
            metrics=found.metrics,
            diverged=found.diverged,
            has_weights=result[HAS_WEIGHTS],
            has_state=result[HAS_STATE],
            last=result[FINISHED],
            node=node,
            leaving=result[NOTICE],
        )
        decision = self._ledger.report(trial_id, report, config)
        if decision.new_best:
            self._observer.new_best(decision.new_best)
            tell(f"{self._record.files.folder.name}: new best {decision.new_best}")
        return decision

    def _conclude(self, ended: Ended) -> None:
        trial = ended.trial
        checkpoint = self._checkpoints.pop(trial.trial_id)
        if ended.keep_weights and checkpoint is not None:  # a trainable may have no model
            with checkpoint.as_directory() as folder:
                self._record.keep_weights(trial, Path(folder, WEIGHTS))
        if ended.keep_state and checkpoint is not None:
            self._checkpoints.kept.keep(trial, checkpoint)
        self._record.append(trial)
        if ended.drop_states:
            self._record.flush()  # until the trial is recorded, the other states are still needed
        for other in ended.drop_states:
            self._checkpoints.kept.drop(other)
        self._tell(trial)
        self._show()

    def _show(self, paused: int = 0) -> None:
        self._observer.progress(self._ledger.progress(paused))

    def _paused(self, trials: Sequence[Trial]) -> int:
        """How many of the running trials are paused."""
        return 0
