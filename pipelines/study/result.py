"""The result of a study, from its finished trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.record.front import ranked_by
from pipelines.record.goals import Aim
from pipelines.record.trials import REQUIREMENT, TIME_BUDGET, FinishedTrial, State
from trainables.training.metrics import METRICS

AS_ASKED = ("", TIME_BUDGET, "target value")
"""The reasons for which a search ends that has done what it was asked for."""


@dataclass(frozen=True)
class StudyResult:
    """The trials in the order in which they ended, and why the study ended."""

    trials: Sequence[FinishedTrial]
    metric: str  # a name in METRICS
    max_epochs: int
    ended_by: str = ""  # "" if it did all that it was asked for
    also: tuple[Aim, ...] = ()  # the further objectives, which decide between equal values

    @property
    def best(self) -> FinishedTrial | None:
        """The trial with the best value, whether it was stopped or not; None if none is sound.

        A stopped trial may be the best: its value was reached, and its weights are kept.
        """
        return next(iter(ranked_by(self.trials, METRICS[self.metric], self.also)), None)

    @property
    def stopped(self) -> list[FinishedTrial]:
        """The trials that the scheduler stopped, infeasible or not."""
        return [t for t in self.trials if t.stopped_by == "scheduler"]

    @property
    def diverged(self) -> list[FinishedTrial]:
        return [t for t in self.trials if t.diverged]

    @property
    def failed(self) -> list[FinishedTrial]:
        return [t for t in self.trials if t.state is State.FAIL]

    @property
    def trained_on_in_vain(self) -> list[FinishedTrial]:
        """The trials whose longer training does not count."""
        return [t for t in self.trials if t.trained_on_in_vain]

    @property
    def infeasible(self) -> list[FinishedTrial]:
        """The trials that break a requirement, trained or not."""
        return [t for t in self.trials if t.infeasible]

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return sum(t.epochs for t in self.trials)

    @property
    def epochs_saved(self) -> int:
        """Epochs saved by the scheduler, by a requirement or by the divergence guard."""
        by = ("scheduler", REQUIREMENT)
        stopped = [t for t in self.trials if t.stopped_by in by and not t.untrained]
        return sum(self.max_epochs - t.epochs for t in [*stopped, *self.diverged])
