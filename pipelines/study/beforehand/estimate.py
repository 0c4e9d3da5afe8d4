"""How long a search would take, estimated from a few optimiser steps of some of its configs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import ray
from ray.exceptions import GetTimeoutError

from pipelines.cluster.machines import Cluster
from pipelines.cluster.resources import TrialResources, slots_in, slots_on
from pipelines.cluster.room import room
from pipelines.study.narrowing import allowed_configs
from pipelines.study.repeats import TOP
from pipelines.study.study import Study
from search_spaces import Config
from trainables.data.datasets import TrialData
from trainables.device.share import pick_device, set_threads
from trainables.networks import Network

_CONFIGS = 4  # for each measuring process
_PROCESSES = 8  # at most
_SECONDS = 0.5  # of training for each config
_MOST_SECONDS = 10.0  # after which a process begins no further config
_PATIENCE = 30.0  # seconds to wait for room on a node that can hold a trial
# Upper bounds of the overhead in seconds; benchmarks/overhead.py measures epochs and trials.
_START, _OF_A_TRIAL, _OF_AN_EPOCH = 6.0, 0.1, 0.015


@dataclass(frozen=True)
class Estimate:
    """The length of a search with ``at_once`` trials at a time. At least: at each rung the
    scheduler stops as many trials as planned, and there is no overhead. At most: every trial trains
    to its end, with all overhead."""

    trials: int
    least_epochs: float  # of a trial, on average
    most_epochs: int
    epoch_seconds: float  # of a trial, while the others run
    at_once: int
    on_a_node: int  # of these trials
    where: str  # where it was measured, in words
    repeats: int = 0  # trainings of the best configs after the search, each to its end

    @property
    def seconds(self) -> tuple[float, float]:
        """The least and the most."""
        return self._of_all(self.at_once)

    @property
    def node_hours(self) -> tuple[float, float]:
        """Hours of a node that runs ``on_a_node`` trials at a time."""
        least, most = self._of_all(self.on_a_node)
        return least / 3600, most / 3600

    def _of_all(self, at_once: int) -> tuple[float, float]:
        epochs = self.trials * self.least_epochs + self.repeats * self.most_epochs
        most = self.most_epochs * (self.epoch_seconds + _OF_AN_EPOCH) + _OF_A_TRIAL
        trainings = self.trials + self.repeats
        return epochs * self.epoch_seconds / at_once, trainings * most / at_once + _START


def planned_epochs(rungs: Sequence[int], max_epochs: int, reduction_factor: float) -> float:
    """Average epochs of a trial if one in ``reduction_factor`` goes on at each rung."""
    if not rungs:
        return max_epochs
    share, epochs = 1.0, float(rungs[0])
    for rung, following in pairwise(rungs):
        share /= reduction_factor
        epochs += share * (following - rung)
    return epochs


def estimate(study: Study, cluster: Cluster, at_once: int) -> Estimate:
    """Train some configs for a moment. If there are nodes that can hold a trial, it waits for room
    on them and trains as many configs at once as will run. If there are none, or no room in time,
    it trains configs on this machine, so that no first node is started just for the estimate.

    ``study`` must train a built-in network: the steps of a user's own function are not known.
    """
    assert study.network is not None
    budget, trial = study.spec.budget, study.spec.resources.trial
    rng = np.random.default_rng(study.spec.search.seed)
    n = min(at_once, slots_in(cluster.nodes(), trial), _PROCESSES)
    drawn = allowed_configs(study.space, rng, _CONFIGS * max(n, 1))
    configs = [drawn[i : i + _CONFIGS] for i in range(0, len(drawn), _CONFIGS)]
    measured = _measure_on_nodes(study, configs, trial) if n else None
    where = "here" if measured is None or cluster.started_here else "on nodes of the cluster"
    if measured is None:
        measured = [seconds_of_an_epoch(study.network, configs[0], study.folds, trial)]
    kind = measured[0][1]
    return Estimate(
        trials=study.trials_left,
        least_epochs=planned_epochs(
            study.spec.rungs, budget.max_epochs, study.spec.stopping.reduction_factor
        ),
        most_epochs=budget.max_epochs,
        epoch_seconds=statistics.fmean(seconds for seconds, _ in measured),
        at_once=at_once,
        on_a_node=min(max(slots_on(node, trial) for node in cluster.node_types()), at_once),
        where=f"{where} on a {kind}, {len(measured)} at once",
        repeats=_repeats_left(study),
    )


def _repeats_left(study: Study) -> int:
    """An upper bound: a search with few complete trials has fewer configs to repeat."""
    before = study.resumed.repeats if study.resumed else None
    ended = len(before.ended) if before else 0
    return max(0, min(TOP, study.trials) * (study.spec.budget.repeats or 0) - ended)


def _measure_on_nodes(
    study: Study, configs: Sequence[Sequence[Config]], trial: TrialResources
) -> list[tuple[float, str]] | None:
    """Measure each list of configs in its own process, all at once; None if there is no room."""
    process = ray.remote(num_cpus=trial.cpus, num_gpus=trial.gpus)(_Process)
    with room():
        given = ray.put((study.network, study.folds))
    processes = [process.remote(given, trial) for _ in configs]
    try:
        ray.get([p.is_ready.remote() for p in processes], timeout=_PATIENCE)
        measuring = [p.measure.remote(c) for p, c in zip(processes, configs, strict=True)]
        found: list[tuple[float, str]] = ray.get(measuring)
        return found
    except GetTimeoutError:
        return None
    finally:
        for p in processes:
            ray.kill(p)


class _Process:
    """Measures with the share of a machine that a trial gets."""

    def __init__(self, given: tuple[Network, Sequence[TrialData]], trial: TrialResources) -> None:
        self._network, self._folds = given
        self._trial = trial

    def is_ready(self) -> bool:
        return True

    def measure(self, configs: Sequence[Config]) -> tuple[float, str]:
        return seconds_of_an_epoch(self._network, configs, self._folds, self._trial)


def seconds_of_an_epoch(
    network: Network, configs: Sequence[Config], folds: Sequence[Any], trial: TrialResources
) -> tuple[float, str]:
    """The mean over ``configs``, or over the first of them if their steps are slow; and the kind of
    device."""
    import torch

    from trainables.training.workload import Workload

    before = torch.get_num_threads()
    set_threads(trial.cpus)
    device = pick_device(trial.gpus)
    started = time.perf_counter()
    try:
        seconds: list[float] = []
        for config in configs:
            if seconds and time.perf_counter() - started > _MOST_SECONDS:
                break
            workload = Workload(network, config, folds, seed=0, device=device)
            workload.warm_up()
            seconds.append(workload.epoch_seconds(_SECONDS))
    finally:
        torch.set_num_threads(before)
    return statistics.fmean(seconds), "GPU" if device.type == "cuda" else "CPU"
