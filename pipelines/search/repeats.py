"""Noise: the best configs trained again with other seeds, and the winner by its lower bound."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from pipelines.search.progress import Observer
from pipelines.search.samplers import SequenceSampler
from pipelines.search.study import StudySpec, run_study
from pipelines.search.trial import Trainable
from pipelines.search.trials import FinishedTrial, State, ranked
from search_spaces import Choice, Config, SearchSpace
from trainables.training.metrics import Metric

TOP = 5  # configs that are trained again
SEED = "seed"  # where a repeat's config has its seed


@dataclass(frozen=True)
class Repeats:
    """One config's values with several seeds: each the best epoch's, as in the search."""

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


@dataclass(frozen=True)
class Reseeded:
    """A trainable whose config says the seed."""

    trainable: Trainable

    def __call__(self, config: dict[str, Any], data: object, *, seed: int, **more: Any) -> Any:
        plain = {name: value for name, value in config.items() if name != SEED}
        return self.trainable(plain, data, seed=config[SEED], **more)


def top_configs(trials: Iterable[FinishedTrial], metric: Metric, n: int = TOP) -> list[Config]:
    """The configs of the ``n`` best trials, none of them twice."""
    configs: list[Config] = []
    for trial in ranked(trials, metric):
        if trial.config not in configs:
            configs.append(dict(trial.config))
    return configs[:n]


def run_repeats(
    spec: StudySpec,
    configs: Sequence[Config],
    *,
    folder: Path,
    space: SearchSpace,
    trainable: Trainable,
    data: Any,
    slots: Callable[[], int],
    observer: Observer,
    gpus: Callable[[], float] | None = None,
) -> list[FinishedTrial]:
    """Train each of ``configs`` with ``spec.repeats`` seeds, none of which the search has used, for
    all its epochs. ``folder`` becomes a run of its own, that holds every repeat; ``gpus`` is as for
    :func:`pipelines.search.study.run_study`."""
    seeds = tuple(range(spec.seed + 1, spec.seed + 1 + spec.repeats))
    repeats = [{**config, SEED: seed} for config in configs for seed in seeds]
    summary = run_study(
        replace(
            spec,
            algo="repeats",
            scheduler="none",
            trials=len(repeats),
            target_value=None,
            time_budget=None,
            repeats=0,
            storage=None if spec.storage is None else f"{spec.storage}/{folder.parent.name}",
        ),
        folder=folder,
        space=SearchSpace({**space.domains, SEED: Choice(seeds)}),
        trainable=Reseeded(trainable),
        data=data,
        slots=slots,
        observer=observer,
        gpus=gpus,
        sampler=SequenceSampler(repeats),
    )
    return summary.trials


def by_config(trials: Iterable[FinishedTrial], metric: Metric) -> list[Repeats]:
    """The repeats of each config, the best lower bound first. A config of which a repeat failed or
    was cut short is left out; one that diverged counts with the metric's worst score."""
    values: dict[tuple[Any, ...], list[float | None]] = {}
    for trial in trials:
        key = tuple((name, v) for name, v in trial.config.items() if name != SEED)
        whole = trial.state is State.COMPLETE or trial.diverged
        values.setdefault(key, []).append(trial.value if whole else None)
    repeats = [
        Repeats(dict(key), tuple(v for v in found if v is not None))
        for key, found in values.items()
        if None not in found and len(found) > 1
    ]
    return sorted(repeats, key=lambda r: r.bound(metric), reverse=metric.mode == "max")


def write_winner(path: Path, winner: Repeats) -> None:
    """As ``--start-with`` reads it."""
    path.write_text(yaml.safe_dump([winner.config], sort_keys=False))
