"""Which trials of a run are meant: the winner, one by its number, or the best few."""

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
    """Or a repeat of it, where the trial itself took over weights of another."""
    epochs: int
    """Where its validation was best; of several trainings of the config their median."""
    max_epochs: int
    """For how many it was planned there."""
    weight: int = 1
    """In an ensemble: how often its prediction counts."""


def chosen_of(run: Run, settings: Chosen) -> list[Candidate]:
    """The trials that ``settings`` mean: by default the winner.

    Raises ``ValueError`` where there are none such.
    """
    if settings.ensemble is not None:
        return _best(run, settings.ensemble)
    return [winner(run) if settings.trial is None else candidate(run, settings.trial)]


def winner(run: Run) -> Candidate:
    """The best trial; after repeats the one whose config has the best lower bound.

    Raises ``ValueError`` where no trial of ``run`` is sound.
    """
    repeats = repeats_of(run)
    if repeats:
        return candidate(run, repeats[0].trial_id)
    if run.best is None:
        raise ValueError(f"{run.files.folder}: no trial of the run ended soundly")
    return candidate(run, run.best.trial_id)


def candidate(run: Run, name: str) -> Candidate:
    """The trial of ``run`` with the number, or the identifier, ``name``.

    Raises ``ValueError`` where there is none, and for one that diverged, failed or is infeasible.
    """
    number, trial = find_trial(run, name)
    if not ranked([trial], METRICS[run.metric]):
        breaks = f"breaks {trial.broken}" if trial.infeasible else "failed"
        ended = "diverged" if trial.diverged else breaks
        raise ValueError(f"`trial` {name} of {run.files.folder} {ended}: choose a sound one")
    repeats = [t for t in run.repeated if t.repeat_of == trial.trial_id]
    trainings = [trial, *repeats]
    if trial.changes and (by_itself := best_trial(repeats, METRICS[run.metric])) is not None:
        trial, trainings = by_itself, repeats
    found = [(t.best_epoch, t) for t in trainings if t.best_epoch and not t.diverged]
    epochs = round(statistics.median(best for best, _ in found))
    # Repeats of a search that went on may be longer: the plan is of a training that came so far.
    best, nearest = min((pair for pair in found if pair[0] >= epochs), key=lambda pair: pair[0])
    return Candidate(number, trial, epochs, planned_at(run, nearest, best))


def check_by_itself(run: Run, number: int, trial: FinishedTrial, hint: str = "") -> None:
    """Raises ``ValueError``, with ``hint``, for a trial that took over weights of another."""
    if trial.changes:
        raise ValueError(
            f"`trial` {number} of {run.files.folder} took over weights of another trial in "
            f"mid-training: by itself it cannot be trained again{hint}"
        )


def find_trial(run: Run, name: str) -> tuple[int, FinishedTrial]:
    """The trial with the number, or the identifier, ``name``; and its number.

    Raises ``ValueError`` where there is none.
    """
    ids = [trial.trial_id for trial in run.finished]
    if name in ids:
        number = ids.index(name)
    elif name.isdecimal() and int(name) < len(ids):
        number = int(name)
    else:
        there = f"the trials 0 to {len(ids) - 1}" if ids else "no finished trial"
        raise ValueError(f"`trial` {name}: {run.files.folder} has {there}")
    return number, run.finished[number]


def _best(run: Run, n: int) -> list[Candidate]:
    """The ``n`` best trials of ``run``, each with a config of its own; fewer where there are no
    more that are sound.

    Raises ``ValueError`` where there is none.
    """
    best = top_trials(run.finished, METRICS[run.metric], n)
    if not best:
        raise ValueError(f"`ensemble` {n}: no trial of {run.files.folder} ended soundly")
    return [candidate(run, trial.trial_id) for trial in best]
