"""What the pages and the terminal say about a run. Each fact is computed once, when needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.record.front import ranked_by
from pipelines.record.live import Live
from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.stops import Stop, stops_data
from pipelines.results.working_time import in_working_time
from pipelines.study.runs import Run
from pipelines.study.spec import StudySpec
from pipelines.tuner.scheduling.schedulers import SCHEDULERS
from search_spaces import SearchSpace
from trainables.training.metrics import METRICS, Metric

if TYPE_CHECKING:
    from pipelines.results.figures.importance import Importance, Scored
    from pipelines.results.figures.rungs import Rungs
    from pipelines.study.repeats import Repeats


class Findings:
    """What is known about a run. Its configs are without the idle parameters of the space."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.spec: StudySpec = run.spec
        self.space: SearchSpace = run.space
        self.score: str = run.metric
        self.metric: Metric = METRICS[run.metric]
        self.trials: Sequence[FinishedTrial] = _without_idle(run.space, in_working_time(run))
        self.live: Live | None = run.live
        self.running: Sequence[FinishedTrial] = _without_idle(run.space, running_trials(run))
        self.shown: Sequence[FinishedTrial] = [*self.trials, *self.running]
        self.best: FinishedTrial | None = next(iter(self._ranked(self.trials)), None)
        self.rungs: tuple[int, ...] = run.spec.rungs

    def _ranked(self, trials: Sequence[FinishedTrial]) -> list[FinishedTrial]:
        return ranked_by(trials, self.metric, self.run.goals.aims[1:])

    @cached_property
    def ranked(self) -> list[FinishedTrial]:
        """The shown trials that have a value to compare, the best first."""
        return self._ranked(self.shown)

    @cached_property
    def best_number(self) -> int | None:
        """The number of the best trial."""
        return next((n for n, trial in enumerate(self.trials) if trial is self.best), None)

    @cached_property
    def repeats(self) -> list[tuple[str, Repeats]]:
        """The repeated configs, the best first, each with the number of its trial."""
        if not self.run.repeated:
            return []
        from pipelines.study.repeats import repeats_of  # imports Ray, which most pages do not need

        numbers = {trial.trial_id: str(number) for number, trial in enumerate(self.trials)}
        return [(numbers.get(r.trial_id, r.trial_id), r) for r in repeats_of(self.run)]

    @cached_property
    def stops(self) -> dict[int, Stop]:
        """Why the scheduler stopped trials, by number."""
        factor = self.spec.stopping.reduction_factor
        return stops_data(
            self.trials, self.metric, self.rungs, factor, at_cycle_ends=self.at_cycle_ends
        )

    @cached_property
    def rung_counts(self) -> Rungs | None:
        """How many trials reached each rung; None if the scheduler has no fixed rungs."""
        from pipelines.results.figures.rungs import rungs_data

        if not self.rungs:
            return None
        return rungs_data(self.trials, self.rungs, at_cycle_ends=self.at_cycle_ends)

    @cached_property
    def epoch(self) -> int | None:
        """The epoch at which all trials are compared."""
        from pipelines.results.figures.importance import common_epoch

        return common_epoch(self.trials)

    @cached_property
    def scored(self) -> list[Scored]:
        """The trials, with the scores that they had reached at ``epoch``."""
        from pipelines.results.figures.importance import scored

        return [] if self.epoch is None else scored(self.trials, self.metric, self.epoch)

    @cached_property
    def importance(self) -> Importance | None:
        """The importance of the parameters over all trials."""
        from pipelines.results.figures.importance import importance_data

        return importance_data(self.scored, self.space, self.metric)

    @cached_property
    def importance_above(self) -> Importance | None:
        """The importance of the parameters among the better half of the trials."""
        from pipelines.results.figures.importance import better_half, importance_data

        return importance_data(better_half(self.scored, self.metric), self.space, self.metric)

    @property
    def pauses(self) -> bool:
        """Whether the scheduler pauses trials. Their seconds then include the pauses."""
        return SCHEDULERS[self.spec.stopping.scheduler].pauses

    @property
    def at_cycle_ends(self) -> bool:
        """Whether the scheduler waits for the end of a cycle before it compares a trial."""
        return SCHEDULERS[self.spec.stopping.scheduler].aligns_cycles

    @property
    def compares_at(self) -> str:
        """The epochs at which the scheduler compares trials, in words; "" if there are none."""
        if not self.rungs[:-1]:
            return ""
        several = len(self.rungs) > 2
        epochs = f"epoch{'s' * several} {wording.listed([str(rung) for rung in self.rungs[:-1]])}"
        if not self.at_cycle_ends:
            return f"at {epochs}"
        return f"at the first end of a cycle at or after {'each of the ' * several}{epochs}"

    @property
    def changes_configs(self) -> bool:
        """Whether the scheduler changed configs in mid-training."""
        return SCHEDULERS[self.spec.stopping.scheduler].changes_configs


def _without_idle(space: SearchSpace, trials: Sequence[FinishedTrial]) -> Sequence[FinishedTrial]:
    if not space.idle:
        return trials
    return [replace(trial, config=space.without_idle(trial.config)) for trial in trials]


def running_trials(run: Run) -> Sequence[FinishedTrial]:
    """The running trials of the search, in the order in which they started, without repeats. A
    trial whose end is in the record is left out, even if the driver still reports it as running."""
    live = run.live
    if live is None or live.is_over or live.phase != "search":
        return ()
    ended = {trial.trial_id for trial in run.finished if not trial.cut_short}
    running = [trial for trial in live.trials if trial.trial_id not in ended]
    return in_working_time(run, sorted(running, key=lambda trial: trial.started))
