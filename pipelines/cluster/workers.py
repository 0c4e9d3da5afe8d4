"""Waits for the nodes that a cluster's launcher adds."""

from __future__ import annotations

import time
from collections.abc import Callable

import ray

from pipelines.cluster.machines import Cluster
from pipelines.cluster.resources import TrialResources, check_fit, slots_in

PATIENCE = 1200.0  # seconds for the first worker, which boots and installs torch
FOR_THE_REST = 30.0  # seconds for the rest of your own machines, once one has joined
_PAUSE = 1.0


def await_machines(cluster: Cluster, trial: TrialResources, say: Callable[[str], None]) -> None:
    """If some of your own machines have not joined yet, wait until a node can hold a trial, or
    until half a minute after the first has joined. Their resources are known only then.

    Raises ``ValueError`` if no machine joins.
    """
    if not cluster.machines_to_come() or _holds_a_trial(cluster, trial):
        return
    say("waiting   for the first of the machines that `ray up` starts")
    _check_came(
        _until(lambda: len(cluster.nodes()) > 1 or not cluster.machines_to_come(), PATIENCE)
    )
    _until(lambda: _holds_a_trial(cluster, trial) or not cluster.machines_to_come(), FOR_THE_REST)


def await_workers(cluster: Cluster, trial: TrialResources, say: Callable[[str], None]) -> None:
    """:func:`await_worker`, and then wait up to half a minute for the rest of your own machines."""
    await_worker(cluster, trial, say)
    _until(lambda: not cluster.machines_to_come(), FOR_THE_REST)


def await_worker(cluster: Cluster, trial: TrialResources, say: Callable[[str], None]) -> None:
    """Wait until a node can hold a trial.

    Raises ``ValueError`` if no node joins, or if the nodes that joined cannot hold a trial.
    """
    if _holds_a_trial(cluster, trial):
        return
    if cluster.may_grow():
        say("waiting   for the first worker: `ray status` shows what the autoscaler does")
        _await_first(cluster, trial)
    check_fit(cluster.nodes(), trial)


def _await_first(cluster: Cluster, trial: TrialResources) -> None:
    """Wait with a pending task of a trial's size, for which an autoscaler adds nodes."""
    pending = ray.remote(num_cpus=trial.cpus, num_gpus=trial.gpus, max_retries=-1)(
        _nothing
    ).remote()
    try:
        came = _until(lambda: _holds_a_trial(cluster, trial) or not cluster.may_grow(), PATIENCE)
    finally:
        ray.cancel(pending, force=True)
    _check_came(came)


def _check_came(came: bool) -> None:
    if not came:
        raise ValueError(
            f"no worker joined within {PATIENCE / 60:g} minutes: `ray monitor` with the YAML file "
            "on your computer, or /tmp/ray/session_latest/logs/monitor.out here, says why"
        )


def _holds_a_trial(cluster: Cluster, trial: TrialResources) -> bool:
    return slots_in(cluster.nodes(), trial) > 0


def _until(condition: Callable[[], bool], patience: float) -> bool:
    """Whether ``condition`` came true within ``patience`` seconds."""
    give_up = time.monotonic() + patience
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(_PAUSE)
    return True


def _nothing() -> None:
    """The pending task: it does nothing."""
