"""What a search remembers of a trial: the currency between searching, recording and reporting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from search_spaces import Config
from trainables.training.metrics import Metric

TIME_BUDGET = "time budget"  # of the search, why a trial ended
REQUIREMENT = "requirement"  # why a trial ended that can meet it no more, trained or not
_BY_ITSELF = ("", "scheduler", "divergence", REQUIREMENT)


class State(StrEnum):
    """How a trial ended, in Optuna's words."""

    RUNNING = "RUNNING"  # it has not: see pipelines.record.live
    COMPLETE = "COMPLETE"  # trained for as long as it wished
    PRUNED = "PRUNED"  # stopped before: see FinishedTrial.stopped_by
    FAIL = "FAIL"  # raised an error


@dataclass(frozen=True)
class FinishedTrial:
    """One trial of a study. ``value`` is the metric at ``best_epoch``; a diverged trial's is the
    metric's worst score.

    Every field but the first four is written to the record under its own name.
    """

    trial_id: str
    config: Config
    state: State
    curve: Mapping[int, float] = field(default_factory=dict)  # epoch -> the metric searched for
    value: float | None = None  # None for a trial that reported nothing
    best_epoch: int | None = None
    stopped_by: str = ""  # "scheduler", "divergence", "time budget", "target value", "interrupt"
    metrics: Mapping[str, float] = field(default_factory=dict)  # all that best_epoch reported
    curves: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """All that was reported, by metric: a number for each epoch of ``curve``, to six digits."""
    seed: int = 0
    repeat_of: str = ""  # the trial whose config this one trained again, with another seed
    started: float = 0.0  # seconds since 1970
    seconds: float = 0.0  # from its first start to its end, pauses included
    node: str = ""  # the address of its machine; of all, where it had several
    gpus: float = 0.0  # of its last attempt: one after running out of memory has twice the share
    error: str = ""
    machines_lost: int = 0  # attempts that ended because a machine was lost
    failures: int = 0  # attempts that failed before this one
    processes_lost: int = 0  # attempts that ended because a process died
    out_of_memory: int = 0  # attempts that ended because a machine ran out of memory
    clue: str = ""  # what its curves tell: see trainables.training.clues
    changes: Mapping[int, Config] = field(default_factory=dict)  # epoch -> its config from there on
    resumed: int = 0  # times that it went on after its driver had ended
    planned: Mapping[int, int] = field(default_factory=dict)
    """Where it was made longer while it trained: from which epoch on for how many it planned."""
    n_parameters: int | None = None  # of its network, where the search asks for it
    broken: str = ""  # the requirements that it does not meet: it is never the best

    @property
    def diverged(self) -> bool:
        return self.stopped_by == "divergence"

    @property
    def infeasible(self) -> bool:
        """Whether it breaks a requirement, and neither diverged nor failed."""
        return bool(self.broken) and not self.diverged and self.state is not State.FAIL

    @property
    def untrained(self) -> bool:
        """Whether its network's size alone ruled it out."""
        return self.stopped_by == REQUIREMENT and not self.curve

    @property
    def cut_short(self) -> bool:
        """Whether it was running when its study ended: it goes on where the study does."""
        return self.stopped_by not in _BY_ITSELF

    @property
    def epochs(self) -> int:
        return max(self.curve, default=0)


def latest(entries: Iterable[FinishedTrial]) -> list[FinishedTrial]:
    """The last entry of each trial, in the order of those."""
    found: dict[str, FinishedTrial] = {}
    for trial in entries:
        found.pop(trial.trial_id, None)
        found[trial.trial_id] = trial
    return list(found.values())


def ranked(trials: Iterable[FinishedTrial], metric: Metric) -> list[FinishedTrial]:
    """Trials from the best value to the worst, the earlier first where two are equal. Diverged and
    failed ones are left out, as they have no value to compare, and so are infeasible ones."""
    sound = [t for t in trials if not t.diverged and not t.broken and t.state is not State.FAIL]
    valued = [(t.value, t) for t in sound if t.value is not None]
    valued.sort(key=lambda pair: pair[0], reverse=metric.mode == "max")  # stable in both directions
    return [trial for _, trial in valued]


def best_trial(trials: Iterable[FinishedTrial], metric: Metric) -> FinishedTrial | None:
    """The first of :func:`ranked`; None where there is none."""
    return next(iter(ranked(trials, metric)), None)
