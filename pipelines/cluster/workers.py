"""Waiting for the nodes that a cluster's launcher adds."""

from __future__ import annotations

import time
from collections.abc import Callable

import ray

from pipelines.cluster.connect import Cluster
from pipelines.cluster.resources import TrialResources, check_fit, slots_in

PATIENCE = 1200.0  # seconds for the first worker: it boots, and installs torch
FOR_THE_REST = 30.0  # seconds for the other machines of one's own, once one is there
_PAUSE = 1.0


def await_machines(cluster: Cluster, trial: TrialResources, say: Callable[[str], None]) -> None:
    """Where one's own machines are still to join: return once a node can hold a trial, or half a
    minute after the first has joined. What they have is known only then.

    Raises ``ValueError`` where none joins.
    """
    if not cluster.machines_to_come() or _holds_a_trial(cluster, trial):
        return
    say("waiting   for the first of the machines that `ray up` starts")
    _check_came(
        _until(lambda: len(cluster.nodes()) > 1 or not cluster.machines_to_come(), PATIENCE)
    )
    _until(lambda: _holds_a_trial(cluster, trial) or not cluster.machines_to_come(), FOR_THE_REST)


def await_workers(cluster: Cluster, trial: TrialResources, say: Callable[[str], None]) -> None:
    """Return once a node can hold a trial, with all of one's own machines
    that join within half a minute of that.

    Raises ``ValueError`` where none comes, and where those that came cannot hold a trial.
    """
    if not _holds_a_trial(cluster, trial):
        if cluster.may_grow():
            say("waiting   for the first worker: `ray status` shows what the autoscaler does")
            _await_first(cluster, trial)
        check_fit(cluster.nodes(), trial)
    _until(lambda: not cluster.machines_to_come(), FOR_THE_REST)


def _await_first(cluster: Cluster, trial: TrialResources) -> None:
    """A task of a trial's size waits with us: an autoscaler adds nodes for what is pending."""
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
    """Runs as soon as it has room."""
