"""Repeats against noise: the best configs trained again with other seeds, ranked by lower bound."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import yaml

from pipelines.cluster.machines import Cluster
from pipelines.record.files import RunFiles
from pipelines.record.front import pareto_front
from pipelines.record.goals import Goals
from pipelines.record.trials import FinishedTrial, State, ranked
from pipelines.record.weights import copy_weights
from pipelines.record.whole import write_whole
from pipelines.study.result import StudyResult
from pipelines.study.run_study import run_again
from pipelines.study.runs import Run
from pipelines.study.study import Study
from pipelines.tuner.ledger.progress import Observer
from search_spaces import Config
from trainables.training.metrics import METRICS, Metric

TOP = 5  # configs that are trained again


@dataclass(frozen=True)
class Repeats:
    """The values of one config with several seeds, each of its best epoch, as in the search."""

    trial_id: str  # of the trial in the search
    config: Config
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return statistics.stdev(self.values) / math.sqrt(len(self.values))

    def bound(self, metric: Metric) -> float:
        """A cautious value for the config: one standard error worse than its mean."""
        return self.mean - self.error if metric.mode == "max" else self.mean + self.error


def top_trials(
    trials: Iterable[FinishedTrial], metric: Metric, n: int = TOP
) -> list[FinishedTrial]:
    """The ``n`` best trials with different configs."""
    top: list[FinishedTrial] = []
    for trial in ranked(trials, metric):
        if trial.config not in [other.config for other in top]:
            top.append(trial)
    return top[:n]


def to_repeat(trials: Iterable[FinishedTrial], goals: Goals) -> list[FinishedTrial]:
    """The trials that are trained again: the best few; with several objectives, the best few of the
    Pareto front by the first objective."""
    trials = list(trials)
    if goals.several:
        trials = pareto_front(trials, goals)
    return top_trials(trials, METRICS[goals.first.name])


def by_config(
    trials: Iterable[FinishedTrial], metric: Metric, seeds: int | None = None
) -> list[Repeats]:
    """The repeats of each config, the best lower bound first. If ``seeds`` is given, the first
    ``seeds`` repeats of each config count, in the order of their seeds. A config is left out if it
    has fewer, or fewer than two, or if one of them failed, was cut short or breaks a requirement.
    A repeat that diverged counts with the metric's worst score, or with the worst of all sound
    repeats if that is worse, as it may be with a user's own function: its config then comes after
    all others."""
    groups: dict[str, list[FinishedTrial]] = {}
    for trial in trials:
        groups.setdefault(trial.repeat_of, []).append(trial)
    sound = [
        trial.value
        for group in groups.values()
        for trial in group
        if not trial.diverged and trial.state is State.COMPLETE and trial.value is not None
    ]
    repeats: list[tuple[bool, Repeats]] = []
    for trial_id, every in groups.items():
        group = sorted(every, key=lambda trial: trial.seed)[:seeds]
        whole = [t for t in group if t.diverged or (t.state is State.COMPLETE and not t.broken)]
        values = tuple(_counted(t, sound, metric) for t in whole if t.value is not None)
        if len(values) == len(group) >= max(2, seeds or 0):
            last = any(t.value != value for t, value in zip(group, values, strict=True))
            repeats.append((last, Repeats(trial_id, dict(group[0].config), values)))
    sign = 1 if metric.mode == "min" else -1
    return [r for _, r in sorted(repeats, key=lambda pair: (pair[0], sign * pair[1].bound(metric)))]


def _counted(trial: FinishedTrial, sound: Sequence[float], metric: Metric) -> float:
    """The value of a repeat; if it diverged, the worst of its own and the ``sound`` values."""
    assert trial.value is not None
    if not trial.diverged:
        return trial.value
    return (max if metric.mode == "min" else min)(trial.value, *sound)


def ended_repeats(repeated: Iterable[FinishedTrial]) -> Counter[str]:
    """How many repeats of each trial have ended by themselves, by the trial's identifier."""
    return Counter(trial.repeat_of for trial in repeated if not trial.cut_short)


def judged(
    repeated: Sequence[FinishedTrial], trials: Iterable[FinishedTrial], goals: Goals, seeds: int
) -> list[Repeats]:
    """What :func:`by_config` makes of the repeats of the best ``trials`` of a search.

    It judges by the largest number of seeds, up to ``seeds``, that all of the best trials have been
    repeated with, so that a search which is adding seeds keeps its winner meanwhile. If that is
    less than two, it judges only configs that have all ``seeds``.
    """
    counts = ended_repeats(repeated)
    least = min((counts[trial.trial_id] for trial in to_repeat(trials, goals)), default=0)
    by = min(least, seeds) if least > 1 else seeds
    return by_config(repeated, METRICS[goals.first.name], by or None)


def run_repeats(
    study: Study, result: StudyResult, cluster: Cluster, observer: Observer
) -> tuple[list[Repeats], str]:
    """Train the best configs of a search again; see :func:`by_config`. The winner becomes that of
    the run, with its config and the weights of its best repeat. Also returns why this ended before
    all were trained, "" if all were."""
    best = to_repeat(result.trials, study.goals)
    again = run_again(study, best, cluster, observer)
    return crown(study, again.trials, result.trials), again.ended_by


def crown(
    study: Study, repeated: Sequence[FinishedTrial], trials: Iterable[FinishedTrial]
) -> list[Repeats]:
    """Make the best config, by the repeats of the best ``trials``, the winner of the run, if there
    is one; see :func:`judged`."""
    files = RunFiles(study.folder)
    repeats = judged(repeated, trials, study.goals, study.spec.budget.repeats or 0)
    if repeats:
        write_winner(files, repeats[0].config)
        weights = files.repeated_weights / f"{repeats[0].trial_id}.pt"
        if weights.is_file():
            copy_weights(weights, files.weights)
    return repeats


def repeats_of(run: Run) -> list[Repeats]:
    """What :func:`judged` makes of the repeats of ``run``."""
    return judged(run.repeated, run.finished, run.goals, run.spec.budget.repeats or 0)


def write_winner(files: RunFiles, config: Config) -> None:
    """Write the config as a list, for --start-with, whole or not at all."""
    write_whole(files.winner, yaml.safe_dump([config], sort_keys=False))
