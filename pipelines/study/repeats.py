"""Noise: the best configs trained again with other seeds, and the winner by its lower bound."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

import yaml

from pipelines.cluster.connect import Cluster
from pipelines.record.files import RunFiles
from pipelines.record.front import pareto_front
from pipelines.record.goals import Goals
from pipelines.record.trials import FinishedTrial, State, ranked
from pipelines.record.writing import replace_file
from pipelines.study.result import StudyResult
from pipelines.study.run_study import run_again
from pipelines.study.study import Study
from pipelines.tuner.progress import Observer
from search_spaces import Config
from trainables.training.metrics import METRICS, Metric

TOP = 5  # configs that are trained again


@dataclass(frozen=True)
class Repeats:
    """One config's values with several seeds: each the best epoch's, as in the search."""

    trial_id: str  # of the search
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
        """What the config may be trusted to reach: one standard error worse than its mean."""
        return self.mean - self.error if metric.mode == "max" else self.mean + self.error


def top_trials(
    trials: Iterable[FinishedTrial], metric: Metric, n: int = TOP
) -> list[FinishedTrial]:
    """The ``n`` best trials, none with the config of another."""
    top: list[FinishedTrial] = []
    for trial in ranked(trials, metric):
        if trial.config not in [other.config for other in top]:
            top.append(trial)
    return top[:n]


def to_repeat(trials: Iterable[FinishedTrial], goals: Goals) -> list[FinishedTrial]:
    """The trials that are trained again: the best few; of several objectives those of the front
    that come first in the first."""
    trials = list(trials)
    if goals.several:
        trials = pareto_front(trials, goals)
    return top_trials(trials, METRICS[goals.first.name])


def by_config(trials: Iterable[FinishedTrial], metric: Metric) -> list[Repeats]:
    """The repeats of each config, the best lower bound first. A config of which a repeat failed or
    was cut short, or breaks a requirement, is left out; one that diverged counts with the metric's
    worst score."""
    groups: dict[str, list[FinishedTrial]] = {}
    for trial in trials:
        groups.setdefault(trial.repeat_of, []).append(trial)
    repeats = []
    for trial_id, group in groups.items():
        whole = [
            t.value for t in group if t.diverged or (t.state is State.COMPLETE and not t.broken)
        ]
        values = tuple(value for value in whole if value is not None)
        if len(values) == len(group) > 1:
            repeats.append(Repeats(trial_id, dict(group[0].config), values))
    return sorted(repeats, key=lambda r: r.bound(metric), reverse=metric.mode == "max")


def run_repeats(
    study: Study, result: StudyResult, cluster: Cluster, observer: Observer
) -> tuple[list[Repeats], str]:
    """Train the best configs of a search again, see :func:`by_config`; the winner becomes that of
    the run: its config, and the weights of its best repeat. Also why that ended before all were
    trained, "" where they were."""
    files = RunFiles(study.folder)
    best = to_repeat(result.trials, study.goals)
    again = run_again(study, best, cluster, observer)
    repeats = by_config(again.trials, study.metric)
    if repeats:
        write_winner(files, repeats[0].config)
        weights = files.repeated_weights / f"{repeats[0].trial_id}.pt"
        if weights.is_file():
            replace_file(weights, files.weights)
    return repeats, again.ended_by


def write_winner(files: RunFiles, config: Config) -> None:
    """As a list of configs to start with."""
    files.winner.write_text(yaml.safe_dump([config], sort_keys=False))
