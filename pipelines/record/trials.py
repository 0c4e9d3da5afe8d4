"""What is kept of a trial: searching, recording and reporting exchange these objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from search_spaces import Config
from trainables.training.metrics import Metric

TIME_BUDGET = "time budget"  # why a trial ended: the time budget of the search was used up
REQUIREMENT = "requirement"  # why a trial ended: it can no longer meet one, trained or not
_BY_ITSELF = ("", "scheduler", "divergence", REQUIREMENT)


class State(StrEnum):
    """How a trial ended, in Optuna's terms."""

    RUNNING = "RUNNING"  # it has not ended: see pipelines.record.live
    COMPLETE = "COMPLETE"  # trained to its end
    PRUNED = "PRUNED"  # stopped earlier: see FinishedTrial.stopped_by
    FAIL = "FAIL"  # raised an error


@dataclass(frozen=True)
class FinishedTrial:
    """One trial of a study. ``value`` is the metric at ``best_epoch``; for a diverged trial, it is
    the metric's worst score.

    Every field except ``config``, ``state`` and ``curve`` is recorded under its own name.
    """

    trial_id: str
    config: Config
    state: State
    curve: Mapping[int, float] = field(default_factory=dict)  # epoch -> the metric searched for
    value: float | None = None  # None for a trial that reported nothing
    best_epoch: int | None = None
    stopped_by: str = ""  # "scheduler", "divergence", "requirement", or why the study ended
    metrics: Mapping[str, float] = field(default_factory=dict)  # all metrics of best_epoch
    curves: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """For each reported metric, a number per epoch of ``curve``, to six digits."""
    seed: int = 0
    repeat_of: str = ""  # the trial whose config this trial repeats with another seed
    started: float = 0.0  # seconds since 1970
    seconds: float = 0.0  # from its first start to its end, pauses included
    node: str = ""  # the address of its machine, or of all its machines
    gpus: float = 0.0  # of its last attempt: after running out of memory, twice the share
    error: str = ""  # why it failed, or why its longer training does not count
    machines_lost: int = 0  # attempts that ended because a machine was lost
    failures: int = 0  # attempts that failed before this one
    processes_lost: int = 0  # attempts that ended because a process died
    out_of_memory: int = 0  # attempts that ended because a machine ran out of memory
    clue: str = ""  # what its curves tell: see trainables.training.clues
    changes: Mapping[int, Config] = field(default_factory=dict)  # epoch -> its config from there on
    resumed: int = 0  # times that it was resumed after its driver had ended
    planned: Mapping[int, int] = field(default_factory=dict)
    """If it was made longer while it trained: from an epoch on, how many epochs it planned."""
    n_parameters: int | None = None  # of its network, if the search asks for it
    broken: str = ""  # the requirements that it breaks: it is then never the best

    def __repr__(self) -> str:
        """In a notebook or a list of trials, the curves would hide the rest."""
        why = self.error or self.stopped_by
        ended = f"{self.state} ({why})" if why else str(self.state)
        reached = f"value={self.value}, best_epoch={self.best_epoch}"
        return f"FinishedTrial({self.trial_id!r}: {ended}, {reached}, config={self.config})"

    @property
    def diverged(self) -> bool:
        return self.stopped_by == "divergence"

    @property
    def infeasible(self) -> bool:
        """Whether it breaks a requirement and neither diverged nor failed."""
        return bool(self.broken) and not self.diverged and self.state is not State.FAIL

    @property
    def untrained(self) -> bool:
        """Whether it was not trained at all, because of its network's size."""
        return self.stopped_by == REQUIREMENT and not self.curve

    @property
    def cut_short(self) -> bool:
        """Whether it was running when its study ended. It goes on if the study is resumed."""
        return self.stopped_by not in _BY_ITSELF

    @property
    def trained_on_in_vain(self) -> bool:
        """Whether its longer training went wrong, so that what it had reached before counts. Then
        ``error`` says why, and the trial is not trained on again."""
        return self.state is State.COMPLETE and bool(self.error)

    @property
    def epochs(self) -> int:
        return max(self.curve, default=0)


def latest(entries: Iterable[FinishedTrial]) -> list[FinishedTrial]:
    """The last entry of each trial, in the order of these entries."""
    found: dict[str, FinishedTrial] = {}
    for trial in entries:
        found.pop(trial.trial_id, None)
        found[trial.trial_id] = trial
    return list(found.values())


def ranked(trials: Iterable[FinishedTrial], metric: Metric) -> list[FinishedTrial]:
    """Trials from the best value to the worst. Of equal ones, that with the lower validation loss
    comes first, and then the earlier. Diverged and failed trials are left out, because they have no
    value to compare; so are infeasible ones."""
    sound = [t for t in trials if not t.diverged and not t.broken and t.state is not State.FAIL]
    valued = [(metric.place(t.value, t.metrics), t) for t in sound if t.value is not None]
    valued.sort(key=lambda pair: pair[0])
    return [trial for _, trial in valued]


def best_trial(trials: Iterable[FinishedTrial], metric: Metric) -> FinishedTrial | None:
    """The first of :func:`ranked`; None if there is none."""
    return next(iter(ranked(trials, metric)), None)
