"""GPUs that trials share: trials spread over all GPUs first, and use MPS where it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from ray import get_runtime_context
from ray.exceptions import RayError
from ray.util import get_node_ip_address
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipelines.cluster.machines import Cluster
from pipelines.cluster.resources import TrialResources, spread
from trainables.device import mps

_PATIENCE = 60.0  # seconds for a node to say whether MPS runs there


def gpu_counter(
    cluster: Cluster, trial: TrialResources, slots: Callable[[], int], trials: int
) -> Callable[[], float]:
    """A function that gives the GPUs of a trial that is about to start. It follows the cluster, see
    :func:`pipelines.cluster.resources.spread`. At most ``trials`` run, and ``slots()`` at once.
    """
    if not 0 < trial.gpus < 1:
        return lambda: trial.gpus
    return lambda: spread(cluster.nodes(), trial, min(slots(), trials))


def no_cuda_on(machine: str) -> str:
    """Says that the trials on a machine with GPUs cannot use them."""
    return (
        f"CUDA does not work on {machine}: its trials train on CPUs; is torch built without CUDA, "
        "or is the driver too old for it?"
    )


def no_cuda_at(address: str) -> str:
    """The same of the machine at an address."""
    return no_cuda_on("this machine" if address == get_node_ip_address() else address)


def assigned_gpus() -> float:
    """The GPUs that Ray has reserved for this process."""
    return float(get_runtime_context().get_assigned_resources().get("GPU", 0.0))


def mps_by_node() -> dict[str, bool]:
    """Whether MPS runs, for every live node with GPUs that answers within a minute."""
    nodes = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("GPU", 0)]
    task = ray.remote(num_cpus=0, max_retries=0)(mps.is_running)
    asked = {_on(task, node["NodeID"]): node["NodeManagerHostname"] for node in nodes}
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_PATIENCE)
    answers = {asked[ref]: _answer(ref) for ref in answered}
    return {name: runs for name, runs in answers.items() if runs is not None}


def _answer(ref: Any) -> bool | None:
    """The answer; None if the node is gone or lacks this project, which preflight reports."""
    try:
        return bool(ray.get(ref))
    except RayError:
        return None


def _on(task: Any, node_id: str) -> Any:
    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    return task.options(scheduling_strategy=there).remote()
