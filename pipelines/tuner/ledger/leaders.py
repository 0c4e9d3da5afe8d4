"""The best trials of a study: the best so far, which may still be running; the best ended trial of
each group; and the trials that may be trained on."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.record.front import ranked_by
from pipelines.record.trials import FinishedTrial, State, ranked
from pipelines.tuner.ledger.progress import Incumbent
from pipelines.tuner.ledger.reports import Report, Rules
from pipelines.tuner.ledger.running import Reached, Running
from trainables.training.metrics import METRICS


class Leaders:
    """The leaders by ``rules``: never a trial that diverged, failed or breaks a requirement."""

    def __init__(self, rules: Rules) -> None:
        self.incumbent: Incumbent | None = None  # may still be running
        self._rules = rules
        self._metric = METRICS[rules.metric]
        self._best_ended: dict[str, FinishedTrial] = {}  # by group
        self._kept: list[FinishedTrial] = []  # trials that may be trained on, the best first

    def is_better(self, value: float, than: Incumbent | None) -> bool:
        return than is None or self._metric.better(value, than.value)

    def is_ahead(self, epoch: int, reached: Reached, *, fits: bool) -> bool:
        """Whether an epoch is the best of its trial. One that breaks no requirement comes first."""
        if fits != reached.fits:
            return fits
        return reached.best is None or self._place(reached, epoch) < self._place(
            reached, reached.best.epoch
        )

    def _place(self, reached: Reached, epoch: int) -> tuple[float, float]:
        return self._metric.place(reached.curve[epoch], reached.metrics[epoch])

    def may_be_best(self, report: Report, group: str) -> bool:
        """Whether an epoch would be the best of its group if its trial ended with it."""
        than = self._best_ended.get(group)
        if than is None or than.value is None:
            return True
        if self._rules.also and report.value == than.value:
            return True
        place = self._metric.place
        return place(report.value, report.metrics) < place(than.value, than.metrics)

    def is_kept(self, reached: Reached) -> bool:
        """Whether a trial that has trained to its end is among those that may be trained on."""
        most = self._rules.keep
        if reached.best is None or not most:
            return False
        last = self._kept[-1] if len(self._kept) == most else None
        if last is None or last.value is None:
            return True
        place = self._metric.place(last.value, last.metrics)
        return self._place(reached, reached.best.epoch) < place

    def note(self, incumbent: Incumbent) -> bool:
        """Note an epoch of a running trial. True if it is the best of this run and better than all
        of the history."""
        if not self.is_better(incumbent.value, self.incumbent):
            return False
        self.incumbent = incumbent
        before = self._rules.best_before
        return before is None or self._metric.better(incumbent.value, before)

    def forget(self, trial_id: str, running: Iterable[Running]) -> None:
        """The result of a trial no longer counts: the best other trial becomes the incumbent."""
        if self.incumbent is None or self.incumbent.trial_id != trial_id:
            return
        sound = [r for r in running if r.stopped_by != "divergence"]
        candidates = [
            *map(_incumbent_of, self._best_ended.values()),
            *(r.reached.best for r in sound if r.reached.fits),
        ]
        self.incumbent = None
        for candidate in candidates:
            if candidate is not None and self.is_better(candidate.value, self.incumbent):
                self.incumbent = candidate

    def note_ended(self, trial: FinishedTrial) -> bool:
        """Whether a trial that has ended is the best ended trial of its group."""
        sound = not trial.diverged and not trial.broken and trial.state is not State.FAIL
        if not sound or trial.value is None or trial.best_epoch is None:
            return False
        before, shown = self._best_ended.get(trial.repeat_of), self.incumbent
        rivals = [trial] if before is None else [before, trial]
        if ranked_by(rivals, self._metric, self._rules.also)[0] is before:
            return False
        self._best_ended[trial.repeat_of] = trial
        replaced = before and shown and before.trial_id == shown.trial_id
        if replaced or self.is_better(trial.value, shown):
            self.incumbent = _incumbent_of(trial)
        return True

    def keep(self, trial: FinishedTrial) -> tuple[FinishedTrial, ...]:
        """Note a trial that may be trained on. Returns those whose state is no longer needed."""
        self._kept = ranked([*self._kept, trial], self._metric)
        dropped = self._kept[self._rules.keep :]
        del self._kept[self._rules.keep :]
        return tuple(dropped)


def _incumbent_of(trial: FinishedTrial) -> Incumbent:
    """The incumbent that a sound trial makes."""
    assert trial.value is not None
    assert trial.best_epoch is not None
    return Incumbent(trial.trial_id, trial.config, trial.value, trial.best_epoch)
