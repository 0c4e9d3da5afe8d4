"""How many epochs a trial planned: a resumed search may train its trials longer."""

from __future__ import annotations

from pipelines.record.trials import FinishedTrial
from pipelines.study.runs import Run


def planned_at(run: Run, trial: FinishedTrial, epoch: int) -> int:
    """How many epochs ``trial``, a trial of the search or a repeat, planned at ``epoch``."""
    lengths = [length for begin, length in sorted(trial.planned.items()) if begin <= epoch]
    return lengths[-1] if lengths else _planned_at_first(run, trial)


def _planned_at_first(run: Run, trial: FinishedTrial) -> int:
    """The number of epochs by the settings of the last driver that trained the trial. If the length
    changed on the way, the record says so. If not, the trial went on unchanged, or began again."""
    part = "repeats" if trial.repeat_of else "search"
    begun = [session.begun for session in run.sessions if session.part == part]
    drivers = sum(at <= trial.started for at in begun) + trial.resumed
    return run.max_epochs_at(max(begun[:drivers], default=0.0))
