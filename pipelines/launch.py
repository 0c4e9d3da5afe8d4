"""From checked arguments to a finished search: what is prepared before Ray, and what runs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from pipelines.arguments import import_object
from pipelines.command import FAILURE, INTERRUPTED
from pipelines.display import Display, print_plain
from pipelines.search.algorithms import ALGORITHMS
from pipelines.search.cluster import LOCAL, Cluster, connect, local_node, slot_counter
from pipelines.search.resources import check_fit
from pipelines.search.samplers import Problem
from pipelines.search.study import StudySpec, Summary, run_study
from pipelines.search.trial import Trainable
from pipelines.summary import plan_lines, space_lines, summary_lines
from search_spaces import SPACES, SearchSpace
from trainables.datasets import TrialData, load
from trainables.metrics import METRICS
from trainables.networks import TRAINABLES, Network

_TASK_METRICS = {
    "classification": ("val_accuracy", "val_loss"),
    "regression": ("val_r2", "val_loss"),
}


@dataclass(frozen=True)
class Study:
    """What is searched: all checked, nothing started."""

    trainable: Trainable
    space: SearchSpace
    data: TrialData
    metric: str
    model_name: str

    def label(self, algo: str) -> str:
        return f"{self.data.name}-{self.model_name}-{algo}"


def prepare(
    *,
    model: str,
    trainable: str | None,
    space: str | None,
    data: str,
    target: str | None,
    fraction: float,
    seed: int,
    metric: str | None,
) -> Study:
    """Load the data and find the model and its space. Raises ``ValueError`` for what does not
    exist or does not fit together."""
    own = _import_trainable(trainable) if trainable else None
    if own and not space:
        raise ValueError(f"--trainable {trainable} needs its --space package.module:SPACE")
    searched = _import_space(space) if space else SPACES[model]
    loaded = load(data, target=target, fraction=fraction, seed=seed)
    if own is None:
        network = TRAINABLES[model]
        network.check(loaded)
        if space:
            _check_space(network, searched, space)
    return Study(
        trainable=own or TRAINABLES[model],
        space=searched,
        data=loaded,
        metric=_resolve_metric(metric, loaded, own is not None),
        model_name=trainable.rpartition(":")[2] if trainable else model,
    )


def launch(
    spec: StudySpec,
    study: Study,
    folder: Path,
    *,
    address: str | None,
    dashboard: bool,
    dry_run: bool,
) -> int:
    """Connect, check that a trial fits, search, and print what came out. Returns the exit code.

    Raises ``ValueError`` before anything is started or written where the search cannot run.
    """
    console = Console(highlight=False)
    problem = Problem(
        study.space, METRICS[spec.metric].mode, spec.seed, spec.trials, spec.grid_levels
    )
    ALGORITHMS[spec.algo](problem)  # refuses here, before Ray starts, what it cannot search
    if address == LOCAL:
        check_fit([local_node()], spec.cpus_per_trial, spec.gpus_per_trial)
    with connect(address, dashboard=dashboard and not dry_run) as cluster:
        check_fit(cluster.nodes_at_most(), spec.cpus_per_trial, spec.gpus_per_trial)
        for line in _plan(spec, study, folder, cluster, dry_run):
            print_plain(console, line)
        if dry_run:
            return 0
        with Display(console, spec.metric) as display:
            summary = run_study(
                spec,
                folder=folder,
                space=study.space,
                trainable=study.trainable,
                data=study.data,
                slots=_slots(spec, cluster),
                observer=display,
            )
        for line in summary_lines(summary, spec, folder, cluster):
            print_plain(console, line)
    return _exit_code(summary)


def _slots(spec: StudySpec, cluster: Cluster) -> Callable[[], int]:
    return slot_counter(cluster, spec.cpus_per_trial, spec.gpus_per_trial, spec.max_concurrent)


def _plan(
    spec: StudySpec, study: Study, folder: Path, cluster: Cluster, dry_run: bool
) -> Iterator[str]:
    size = study.space.grid_size(spec.grid_levels) if spec.algo == "grid" else None
    at_once = _slots(spec, cluster)()
    yield from plan_lines(spec, study.data, cluster, folder, size, at_once)
    if dry_run:
        yield from space_lines(study.space, spec.grid_levels if spec.algo == "grid" else None)


def _exit_code(summary: Summary) -> int:
    if summary.ended_by == "interrupt":
        return INTERRUPTED
    return 0 if summary.best else FAILURE


def _resolve_metric(metric: str | None, data: TrialData, own: bool) -> str:
    allowed = _TASK_METRICS[data.task]
    if metric is None:
        return allowed[0]
    if metric not in allowed and not own:
        raise ValueError(
            f"--metric {metric} does not fit '{data.name}', a {data.task}: "
            f"choose {' or '.join(allowed)}"
        )
    return metric


def _import_trainable(reference: str) -> Trainable:
    function = import_object(reference)
    if not callable(function):
        raise ValueError(f"--trainable {reference} is a {type(function).__name__}, not a function")
    return function


def _import_space(reference: str) -> SearchSpace:
    space = import_object(reference)
    if not isinstance(space, SearchSpace):
        raise ValueError(f"--space {reference} is a {type(space).__name__}, not a SearchSpace")
    return space


def _check_space(network: Network, space: SearchSpace, reference: str) -> None:
    try:
        network.config.from_dict(space.sample(np.random.default_rng(0)))
    except ValueError as error:
        raise ValueError(f"--space {reference}: {error}") from None
