"""Everything that happens to the trials of a study: numbers in, decisions out.

The ledger knows neither Ray nor any file format. It is told what happens to a trial (it starts,
reports an epoch, is saved, ends, fails) and answers what follows: save it now, try it again, this
is a new best, this is its end, the study is over. The caller, who runs the trials, does as it says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from pipelines.record.goals import told
from pipelines.record.trials import REQUIREMENT, FinishedTrial, State
from pipelines.tuner.attempts import Attempt, Cause
from pipelines.tuner.ledger.before import Before, Unfinished, trained_in_vain
from pipelines.tuner.ledger.ending import Ending
from pipelines.tuner.ledger.feasibility import Feasibility
from pipelines.tuner.ledger.leaders import Leaders
from pipelines.tuner.ledger.progress import Incumbent, Progress
from pipelines.tuner.ledger.reports import Decision, Ended, Report, Rules
from pipelines.tuner.ledger.running import Reached, Running
from pipelines.tuner.ledger.silence import Silence
from search_spaces import Config

SAVE_EVERY = 60.0  # seconds of training that are lost at most with a machine
SAVE_EVERY_LEAVING = 1.0  # the same on a machine that is about to be taken away


class TrialLedger:
    """Follows the trials of a study from start to end; see the module.

    The weights of the best epoch of the best trial are kept. So a save is requested if an epoch is
    better than every trial that has ended soundly. A save is also requested once a minute per
    trial, and each second if the machine is about to be taken away, so that little is lost with it.
    """

    def __init__(
        self,
        rules: Rules,
        clock: Callable[[], float] = time.monotonic,
        before: Before | None = None,
    ) -> None:
        """``before`` is the earlier state of a study that is resumed."""
        self._rules = rules
        self._clock = clock
        self._started = clock()
        self._running: dict[str, Running] = {}
        self._saving: set[str] = set()
        self._silence = Silence(rules, clock)
        self._feasibility = Feasibility(rules, clock)
        self._ending = Ending(rules, clock)
        self._leaders = Leaders(rules)
        self._epochs = 0  # trained by trials that have ended
        self._counts = Progress(total=rules.trials, time_budget=rules.time_budget)
        self._waiting: dict[str, Unfinished] = {}  # ran under an earlier driver, not restarted yet
        self._ends: dict[str, FinishedTrial] = {}  # under earlier drivers, by trial
        if before is not None:
            self._resume(before)

    def _resume(self, before: Before) -> None:
        self._started -= before.seconds
        self._ends = before.ends
        for trial in self._ends.values():  # also of trials that are trained on: their results count
            self._leaders.note_ended(trial)
        for trial in before.ended:
            self._count(trial)
            if trial.trial_id in before.kept:
                self._leaders.keep(trial)
        self._waiting = {trial.attempt.trial_id: trial for trial in before.unfinished}

    @property
    def saving(self) -> bool:
        """Whether a requested checkpoint is not written yet."""
        return bool(self._saving)

    @property
    def running(self) -> tuple[str, ...]:
        """The names of the trials that have started and not ended."""
        return tuple(self._running)

    @property
    def reason(self) -> str:
        """Why the study ends before all its trials have; "" if it does not."""
        return self._ending.reason

    def request(self, reason: str) -> None:
        """Request the end of the study; the first reason stands."""
        self._ending.request(reason)

    def is_over(self) -> bool:
        """Whether the study must stop its trials now (see ``reason``); not while one is saved."""
        seconds = self._clock() - self._started
        return self._ending.has_come(seconds, self._running) and not self._saving

    @property
    def incumbent(self) -> Incumbent | None:
        """The best so far; its trial may still be running."""
        return self._leaders.incumbent

    @property
    def epochs(self) -> int:
        """Epochs trained, including those of running trials."""
        return self._epochs + sum(map(self.epochs_of, self._running))

    def running_trials(self) -> list[FinishedTrial]:
        """The trials that have started and not ended, with what they have reached."""
        return [self._as_trial(running, State.RUNNING) for running in self._running.values()]

    def progress(self, paused: int = 0) -> Progress:
        """The progress of the study; ``paused`` says how many of its running trials are paused."""
        return replace(
            self._counts,
            running=len(self._running) - paused,
            best=self.incumbent.value if self.incumbent else None,
            seconds=self._clock() - self._started,
        )

    def start(self, attempt: Attempt, config: Config, gpus: float = 0.0) -> None:
        """A trial, or another attempt of a trial, starts on ``gpus`` GPUs."""
        now = self._clock()
        running = self._running.setdefault(
            attempt.trial_id,
            Running(attempt, config, now, time.time(), saved_at=now),
        )
        running.attempt, running.gpus = attempt, gpus
        running.n_parameters = self._feasibility.size(config)
        self._silence.heard(attempt.trial_id)
        before = self._waiting.pop(attempt.trial_id, None)
        if before is not None:
            self._go_on(running, before)

    def _go_on(self, running: Running, before: Unfinished) -> None:
        """Restore a trial that was running when an earlier driver ended."""
        running.started -= before.seconds
        running.started_at = before.started
        running.resumed, running.planned = before.resumed, before.planned
        running.has_state = before.attempt.checkpoint is not None
        for epoch, metrics in before.metrics.items():
            self._note(running, epoch, metrics[self._rules.metric], metrics)
        running.saved = running.reached.copy()
        if running.reached.best is not None and running.reached.fits:
            self._leaders.note(running.reached.best)  # not announced: it was before

    def note(self, trial_id: str, epoch: int, value: float, metrics: Mapping[str, float]) -> None:
        """A trial trained this epoch before it failed: the epoch is noted and decides nothing."""
        self._note(self._running[trial_id], epoch, value, metrics)

    def _note(
        self, running: Running, epoch: int, value: float, metrics: Mapping[str, float]
    ) -> None:
        reached = running.reached
        reached.note(epoch, value, metrics)
        fits = not self._feasibility.broken(running, metrics)
        if self._leaders.is_ahead(epoch, reached, fits=fits):
            trial_id = running.attempt.trial_id
            reached.best, reached.fits = Incumbent(trial_id, running.config, value, epoch), fits

    def heard(self, trial_id: str) -> None:
        """A running trial has begun to train, or goes on after a pause."""
        self._silence.heard(trial_id)

    def was_away(self, seconds: float) -> None:
        """The caller was stopped, or waited for a disk, until now: it could hear no trial."""
        self._silence.was_away(seconds)

    def is_hung(self, trial_id: str) -> bool:
        """Whether a running trial has reported no epoch for too long."""
        return self._silence.is_hung(trial_id)

    def report(self, trial_id: str, report: Report, config: Config | None = None) -> Decision:
        """A trial has trained an epoch. ``config`` is given if a scheduler may have changed it."""
        running = self._running[trial_id]
        if config is not None and config != running.config:
            self._change(running, report.epoch, config)
        self._silence.reported(trial_id)
        reached = running.reached
        if report.node not in running.nodes:
            running.nodes.append(report.node)
        reached.note(report.epoch, report.value, report.metrics)
        incumbent = Incumbent(trial_id, running.config, report.value, report.epoch)
        if report.diverged:
            running.stopped_by = "divergence"
            reached.best = incumbent
            self._saving.discard(trial_id)  # a save that an earlier epoch requested
            self._leaders.forget(trial_id, self._running.values())
            return Decision()
        save = self._is_due(running, report)
        fits = not self._feasibility.broken(running, report.metrics)
        hopeless = self._feasibility.is_too_slow(running)
        if reached.fits and hopeless:
            reached.fits = False  # no earlier epoch counts either
            self._leaders.forget(trial_id, self._running.values())
        if self._leaders.is_ahead(report.epoch, reached, fits=fits):
            reached.best, reached.fits = incumbent, fits
            group = running.attempt.repeat_of
            save |= fits and report.has_weights and self._leaders.may_be_best(report, group)
        running.has_state = report.has_state
        is_kept = reached.fits and self._leaders.is_kept(reached)
        save |= report.last and report.has_state and is_kept
        if save:
            self._saving.add(trial_id)
        if not fits:
            return Decision(save, hopeless=hopeless)
        self._ending.note_value(report.value)
        return Decision(save, incumbent if self._leaders.note(incumbent) else None)

    def not_trained(self, attempt: Attempt, config: Config) -> Ended | None:
        """The end of a trial that is about to start and whose network's size already breaks a
        requirement; None if it does not."""
        size = self._feasibility.size(config)
        broken = self._feasibility.broken_by(size)
        if not broken:
            return None
        trial = FinishedTrial(
            trial_id=attempt.trial_id,
            config=config,
            state=State.PRUNED,
            stopped_by=REQUIREMENT,
            seed=attempt.seed,
            repeat_of=attempt.repeat_of,
            started=time.time(),
            n_parameters=size,
            broken=told(broken),
        )
        self._count(trial)
        self._ending.note_end(failed=False)
        self._waiting.pop(attempt.trial_id, None)
        return Ended(trial)

    def stopped(self, trial_id: str, by: str = "scheduler") -> None:
        """A trial is stopped that would have trained on."""
        self._running[trial_id].stopped_by = by

    def saved(self, trial_id: str) -> None:
        """A checkpoint of what the trial has reached is written."""
        self._saving.discard(trial_id)
        self._ending.note_saved(trial_id)
        running = self._running.get(trial_id)
        if running is not None:
            running.saved, running.saved_at = running.reached.copy(), self._clock()
            self._silence.heard(trial_id)

    def end(self, trial_id: str) -> Ended:
        """A trial has ended without an error."""
        running = self._running.pop(trial_id)
        return self._finish(running, State.PRUNED if running.stopped_by else State.COMPLETE)

    def fail(
        self,
        trial_id: str,
        cause: Cause,
        checkpoint: str | None,
        error: str,
        *,
        alone: bool = True,
    ) -> tuple[Config, Attempt] | Ended:
        """An attempt ended for ``cause``. Returns the config and the next attempt, from the last
        checkpoint, or the end of the trial with ``error``. ``alone`` says whether no other trial
        ran beside it."""
        self._saving.discard(trial_id)
        running = self._running[trial_id]
        if cause is Cause.STORAGE:  # not the trial's fault, and no other trial can be saved either
            self.request("storage")
            running.stopped_by = "storage"
            del self._running[trial_id]
            return self._finish(running, State.PRUNED, error)
        if cause is Cause.DAMAGED:
            if trial_id in self._ends:  # it is trained on: what it had reached before counts
                cause = Cause.ERROR
            else:
                running.saved, running.planned = Reached(), {}
                self._leaders.forget(trial_id, self._running.values())
        again = running.attempt.after(
            cause,
            self._rules.max_failures,
            checkpoint or running.attempt.checkpoint,
            running.gpus,
            alone=alone,
        )
        if again is not None:
            running.reached = running.saved.copy()
            running.attempt = again
            return running.config, again
        del self._running[trial_id]
        return self._finish(running, State.FAIL, error)

    def cut_short(self) -> list[Ended]:
        """The study is over: running trials end with what they have reached."""
        ended = []
        for trial_id in self.running:
            running = self._running.pop(trial_id)
            if running.reached.curve:
                running.stopped_by = self.reason
                ended.append(self._finish(running, State.PRUNED))
        return ended

    def epochs_of(self, trial_id: str) -> int:
        """The epochs of a running trial that are not lost."""
        return max(self._running[trial_id].reached.curve, default=0)

    def since_saved(self, trial_id: str) -> dict[int, Mapping[str, float]]:
        """What a trial has reported since its last checkpoint, by epoch; nothing if it has
        ended."""
        running = self._running.get(trial_id)
        if running is None:
            return {}
        saved = max(running.saved.metrics, default=0)
        return {epoch: m for epoch, m in running.reached.metrics.items() if epoch > saved}

    def last_node(self, trial_id: str) -> str:
        """The address of the machine that a running trial last reported from; "" for none."""
        nodes = self._running[trial_id].nodes
        return nodes[-1] if nodes else ""

    def _change(self, running: Running, epoch: int, config: Config) -> None:
        """Population based training has changed the config: only epochs from here on count."""
        running.config, running.n_parameters = config, self._feasibility.size(config)
        running.reached.changes[epoch] = config
        running.reached.best, running.reached.fits = None, False
        self._leaders.forget(running.attempt.trial_id, self._running.values())

    def _is_due(self, running: Running, report: Report) -> bool:
        if self._ending.needs_saves:
            return not self._ending.has_saved(running.attempt.trial_id) and not report.last
        most = SAVE_EVERY_LEAVING if report.leaving else SAVE_EVERY
        return self._clock() - running.saved_at > most and not report.last

    def _as_trial(self, running: Running, state: State, error: str = "") -> FinishedTrial:
        best, metrics = running.reached.best, running.reached.metrics
        broken = self._feasibility.broken(running, metrics[best.epoch]) if best else ()
        return running.as_trial(
            state,
            seconds=round(self._clock() - running.started, 3),
            clue="" if state is State.RUNNING else running.clue(self._rules.chance_loss),
            broken=told(broken),
            error=error,
        )

    def _finish(self, running: Running, state: State, error: str = "") -> Ended:
        trial = self._as_trial(running, state, error)
        self._silence.ended(trial.trial_id)
        self._ending.note_end(failed=state is State.FAIL)
        earlier = self._ends.get(trial.trial_id)
        sound = not (state is State.FAIL or trial.diverged or trial.broken)
        if earlier is not None and not sound:
            trial = trained_in_vain(earlier, trial)
        self._count(trial)
        # A trial that is cut short may go on from the state with which it had ended before.
        old = () if earlier is None or trial.cut_short else (earlier,)
        if not sound:
            running.reached.fits = False
            self._leaders.forget(trial.trial_id, self._running.values())
            return Ended(trial, drop_states=old)
        keep_weights = self._leaders.note_ended(trial)
        if state is State.PRUNED or not running.has_state:
            return Ended(trial, keep_weights, drop_states=old)
        keep_state = self._leaders.is_kept(running.reached)
        return Ended(trial, keep_weights, keep_state, (*old, *self._leaders.keep(trial)))

    def _count(self, trial: FinishedTrial) -> None:
        self._epochs += trial.epochs
        self._counts = replace(
            self._counts,
            finished=self._counts.finished + 1,
            stopped=self._counts.stopped
            + (trial.stopped_by == "scheduler" and not trial.infeasible),
            diverged=self._counts.diverged + trial.diverged,
            infeasible=self._counts.infeasible + trial.infeasible,
            failed=self._counts.failed + (trial.state is State.FAIL),
        )
