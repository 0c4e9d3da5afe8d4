"""Which trials of a run to take: the winner, a trial with a given number, or the best few."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from pipelines.record.trials import FinishedTrial, best_trial, ranked
from pipelines.study.repeats import repeats_of, top_trials
from pipelines.study.runs import Run
from pipelines.winner.planned import planned_at
from pipelines.winner.settings import Chosen
from trainables.training.metrics import METRICS


@dataclass(frozen=True)
class Candidate:
    """A trial to train again, and for how long."""

    number: int  # its place among the run's trials, from 0
    trial: FinishedTrial
    """The trial, or a repeat of it if the trial itself took over weights of another."""
    epochs: int
    """The epoch at which its validation was best; with several trainings, the median of these."""
    max_epochs: int
    """The number of epochs that was planned at that epoch."""
    weight: int = 1
    """In an ensemble: how often its prediction counts."""


def chosen_of(run: Run, settings: Chosen) -> list[Candidate]:
    """The trials that ``settings`` ask for: by default the winner.

    Raises ``ValueError`` if there are no such trials.
    """
    if settings.ensemble is not None:
        return _best(run, settings.ensemble)
    return [winner(run) if settings.trial is None else candidate(run, settings.trial)]


def winner(run: Run) -> Candidate:
    """The best trial; after repeats, the trial whose config has the best lower bound.

    Raises ``ValueError`` if no trial of ``run`` is sound.
    """
    repeats = repeats_of(run)
    if repeats:
        return candidate(run, repeats[0].trial_id)
    if run.best is None:
        raise ValueError(f"{run.files.folder}: no trial of the run ended soundly")
    return candidate(run, run.best.trial_id)


def candidate(run: Run, name: str) -> Candidate:
    """The trial of ``run`` with the number, or the identifier, ``name``.

    Raises ``ValueError`` if there is no such trial, or if it diverged, failed or is infeasible.
    """
    number, trial = find_trial(run, name)
    if not ranked([trial], METRICS[run.metric]):
        breaks = f"breaks {trial.broken}" if trial.infeasible else "failed"
        ended = "diverged" if trial.diverged else breaks
        raise ValueError(f"`trial` {name} of {run.files.folder} {ended}: choose another trial")
    repeats = [t for t in run.repeated if t.repeat_of == trial.trial_id]
    trainings = [trial, *repeats]
    if trial.changes and (by_itself := best_trial(repeats, METRICS[run.metric])) is not None:
        trial, trainings = by_itself, repeats
    found = [(t.best_epoch, t) for t in trainings if t.best_epoch and not t.diverged]
    epochs = round(statistics.median(best for best, _ in found))
    # Repeats of a resumed search may be longer: the plan is that of a training that came so far.
    best, nearest = min((pair for pair in found if pair[0] >= epochs), key=lambda pair: pair[0])
    return Candidate(number, trial, epochs, planned_at(run, nearest, best))


def check_by_itself(run: Run, number: int, trial: FinishedTrial, hint: str = "") -> None:
    """Raises ``ValueError``, with ``hint``, for a trial that took over weights of another."""
    if trial.changes:
        raise ValueError(
            f"`trial` {number} of {run.files.folder} took over weights of another trial in "
            f"mid-training: it cannot be trained again by itself{hint}"
        )


def find_trial(run: Run, name: str) -> tuple[int, FinishedTrial]:
    """The number of the trial with the number, or the identifier, ``name``; and the trial.

    Raises ``ValueError`` if there is no such trial.
    """
    ids = [trial.trial_id for trial in run.finished]
    if name in ids:
        number = ids.index(name)
    elif name.isdecimal() and int(name) < len(ids):
        number = int(name)
    else:
        there = f"the trials 0 to {len(ids) - 1}" if ids else "no finished trial"
        raise ValueError(f"no trial {name}: {run.files.folder} has {there}")
    return number, run.finished[number]


def _best(run: Run, n: int) -> list[Candidate]:
    """The ``n`` best trials of ``run``, each with a different config; fewer if there are not so
    many sound ones.

    Raises ``ValueError`` if there is none.
    """
    best = top_trials(run.finished, METRICS[run.metric], n)
    if not best:
        raise ValueError(f"`ensemble` {n}: no trial of {run.files.folder} ended soundly")
    return [candidate(run, trial.trial_id) for trial in best]
