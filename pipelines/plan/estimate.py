"""What a search would take at most, from a few optimiser steps of some of its configs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import ray
import torch
from ray.exceptions import GetTimeoutError

from pipelines.cli.display import format_seconds
from pipelines.cluster.connect import Cluster
from pipelines.cluster.resources import slots_on
from pipelines.plan.prepare import Study
from pipelines.search.study import StudySpec
from search_spaces import Config
from trainables.data.datasets import TrialData
from trainables.device.share import pick_device, set_threads
from trainables.device.workload import Workload
from trainables.networks import Network

_CONFIGS = 4
_SECONDS = 0.5  # that each of them trains
_PATIENCE = 30.0  # seconds for a node that can hold a trial to have room


@dataclass(frozen=True)
class Estimate:
    """Of a search without early stopping, ``at_once`` trials at a time, each alone as fast as one
    was here."""

    trials: int
    epochs: int  # of each
    epoch_seconds: float  # of a trial
    at_once: int
    on_a_node: int  # of those trials
    where: str  # it was measured

    @property
    def seconds(self) -> float:
        return self.trials * self.epochs * self.epoch_seconds / self.at_once

    @property
    def node_hours(self) -> float:
        return self.trials * self.epochs * self.epoch_seconds / self.on_a_node / 3600


def estimate(
    spec: StudySpec, study: Study, cluster: Cluster, trials: int, at_once: int
) -> Estimate:
    """Train some configs for a moment: on a node that can hold a trial where there is one, once it
    has room, else on this machine, so that no first node is started for it."""
    assert isinstance(study.trained, Network)  # the steps of a user's own function are not known
    cpus, gpus = spec.cpus_per_trial, spec.gpus_per_trial
    rng = np.random.default_rng(spec.seed)
    configs = [study.space.sample(rng) for _ in range(_CONFIGS)]
    given = (study.trained, configs, study.folds or (study.data,), cpus, gpus)
    where, measured = "on a node of the cluster", None
    if any(slots_on(node, cpus, gpus) for node in cluster.nodes()):
        task = ray.remote(num_cpus=cpus, num_gpus=gpus)(seconds_of_an_epoch).remote(*given)
        try:
            measured = ray.get(task, timeout=_PATIENCE)
        except GetTimeoutError:
            ray.cancel(task, force=True)
    if measured is None or cluster.started_here:
        where = "here"
    seconds, kind = measured or seconds_of_an_epoch(*given)
    on_a_node = max(slots_on(node, cpus, gpus) for node in cluster.nodes_at_most())
    return Estimate(
        trials, spec.max_epochs, seconds, at_once, min(on_a_node, at_once), f"{where} on a {kind}"
    )


def seconds_of_an_epoch(
    network: Network,
    configs: Sequence[Config],
    folds: Sequence[TrialData],
    cpus: float,
    gpus: float,
) -> tuple[float, str]:
    """The mean over ``configs``, and the kind of device."""
    before = torch.get_num_threads()
    set_threads(cpus)
    device = pick_device(gpus)
    try:
        seconds = []
        for config in configs:
            workload = Workload(network, config, folds, seed=0, device=device)
            workload.warm_up()
            seconds.append(workload.epoch_seconds(_SECONDS))
    finally:
        torch.set_num_threads(before)
    return statistics.fmean(seconds), "GPU" if device.type == "cuda" else "CPU"


def estimate_lines(found: Estimate, node_price: float | None) -> Iterator[str]:
    """What it would take, and cost where the price of a node's hour is given."""
    yield (
        f"estimate  at most {format_seconds(found.seconds)}, less with early stopping: "
        f"{found.trials} trials of {found.epochs} epochs of {found.epoch_seconds:.3g} s "
        f"(measured {found.where}), {found.at_once} at once"
    )
    if node_price is not None:
        cost = found.node_hours * node_price
        yield (
            f"cost      at most {cost:.3g}: {found.node_hours:.3g} hours of a node with "
            f"{found.on_a_node} trials at once, at {node_price:g} an hour; beside it the head's, "
            "and what nodes wait and boot"
        )
