"""The cluster that this process is connected to: its nodes, and how many trials run at once."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import ray
from ray._common.constants import HEAD_NODE_RESOURCE_NAME

from pipelines.cluster.kuberay import workers_at_most
from pipelines.cluster.launched import launched_with
from pipelines.cluster.local_ray import LOCAL as LOCAL
from pipelines.cluster.local_ray import LateDashboard
from pipelines.cluster.resources import Node, TrialResources, slots_in, slots_on

ON_PREMISES = "local"  # Ray's name of the provider for your own machines
_ANSWERS_WITHIN = 2.0  # seconds


@dataclass
class Cluster:
    """A Ray cluster that this process is connected to."""

    dashboard: str  # its address; "" if there is none (yet)
    started_here: bool
    late_dashboard: LateDashboard | None = None
    address: str | None = None  # as the user gave it
    without_cuda: set[str] = field(default_factory=set)  # addresses that the user was warned of

    def __getstate__(self) -> dict[str, Any]:
        """Ray copies this object with the resources of a trial; the late dashboard stays here."""
        return {**vars(self), "late_dashboard": None}

    def open_dashboard(
        self,
        say: Callable[[str], None],
        pages: Callable[[], AbstractContextManager[str | None]] = nullcontext,
    ) -> None:
        """Start the late dashboard, if there is one, in the background; ``say`` gets its address.
        ``pages`` are shown inside it: see :meth:`LateDashboard.open`."""

        def opened(address: str) -> None:
            self.dashboard = address
            say(address)

        if self.late_dashboard is not None:
            self.late_dashboard.open(opened, pages)

    def nodes(self) -> list[Node]:
        """The nodes that are alive now."""
        return [_node(node) for node in ray.nodes() if node["Alive"]]

    def nodes_at_most(self, trial: TrialResources | None = None) -> list[Node]:
        """The nodes that there may be, including all that an autoscaler may add. If a limit allows
        only some of its nodes, those that hold the most of ``trial`` count.

        The resources of your own machines are known only after they have joined; then they are in
        :meth:`nodes`.
        """
        config = self._grows_with()
        if config is not None:
            return nodes_of_config(config, trial)
        workers = [] if self.started_here or self.launched else workers_at_most()
        return [*self._head(), *workers] if workers else self.nodes()

    def node_types(self) -> list[Node]:
        """One node of each type that there may be."""
        config = self._grows_with()
        if config is not None:
            return types_of_config(config)
        return list(dict.fromkeys(self.nodes_at_most()))

    def _head(self) -> list[Node]:
        """The node where Ray was started first, if it is alive."""
        return [
            _node(node)
            for node in ray.nodes()
            if node["Alive"] and HEAD_NODE_RESOURCE_NAME in node["Resources"]
        ]

    def machines_to_come(self) -> list[str]:
        """The addresses of your own machines that `ray up` starts and that have not joined yet."""
        config = self._launched_with()
        if config is None or config["provider"]["type"] != ON_PREMISES:
            return []
        there = {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
        machines = config["provider"]["worker_ips"]
        missing = [machine for machine in machines if _ip_of(machine) not in there]
        joined = len(machines) - len(missing)
        return missing[: max(config["max_workers"] - joined, 0)]

    def may_grow(self) -> bool:
        """Whether more nodes may join: from an autoscaler, or your own machines."""
        return len(self.nodes_at_most()) > len(self.nodes()) or bool(self.machines_to_come())

    @property
    def launched(self) -> bool:
        """Whether `ray up` started the cluster, from another machine."""
        return self._launched_with() is not None

    def _grows_with(self) -> dict[str, Any] | None:
        """The YAML file of a cluster to which an autoscaler adds nodes; None for all others."""
        config = self._launched_with()
        return None if config is None or config["provider"]["type"] == ON_PREMISES else config

    def _launched_with(self) -> dict[str, Any] | None:
        """The YAML file from which `ray up` made this cluster; None if something else made it."""
        return None if self.started_here else launched_with()


def _node(described: Mapping[str, Any]) -> Node:
    """A live node, from Ray's description."""
    resources = described["Resources"]
    return Node(
        name=described["NodeManagerHostname"],
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
    )


@cache
def _ip_of(machine: str) -> str:
    """The IP address of a machine that is given by its name or address, as Ray looks it up."""
    try:
        return socket.gethostbyname(machine)
    except OSError:
        return machine


def nodes_of_config(config: dict[str, Any], trial: TrialResources | None = None) -> list[Node]:
    """The head and every worker that a cluster's YAML file, as completed by Ray, allows. If it
    allows fewer workers than its types together, those that hold the most of ``trial`` count."""
    head, workers = _of_config(config)
    if trial is not None:
        workers.sort(key=lambda node: slots_on(node, trial), reverse=True)
    return [*head, *workers[: config["max_workers"]]]


def types_of_config(config: dict[str, Any]) -> list[Node]:
    """The head, and one worker of each type of which the YAML file allows any."""
    head, workers = _of_config(config)
    return list(dict.fromkeys([*head, *(workers if config["max_workers"] else [])]))


def _of_config(config: dict[str, Any]) -> tuple[list[Node], list[Node]]:
    """The head, and the workers that all types together allow."""
    head, workers = [], []
    for name, node_type in config["available_node_types"].items():
        resources = node_type.get("resources", {})
        node = Node(name, resources.get("CPU", 0.0), resources.get("GPU", 0.0))
        if name == config["head_node_type"]:
            head = [node]
        else:
            workers += [node] * node_type.get("max_workers", config["max_workers"])
    return head, workers


def slot_counter(
    cluster: Cluster, trial: TrialResources, limit: int | None = None, refresh: float = 3.0
) -> Callable[[], int]:
    """A function that says how many trials may run at once. It follows the cluster, which it asks
    at most once per ``refresh`` seconds. The slots of nodes that an autoscaler may add count too,
    because the autoscaler adds nodes for pending trials."""
    asked, slots = -float("inf"), 0

    def count() -> int:
        nonlocal asked, slots
        if time.monotonic() - asked >= refresh:
            asked = time.monotonic()
            slots = max(
                slots_in(nodes, trial) for nodes in (cluster.nodes(), cluster.nodes_at_most(trial))
            )
        return slots if limit is None else min(slots, limit)

    return count


def why_none_runs(cluster: Cluster, trial: TrialResources) -> str:
    """Why no trial has run for a while, and how to find out more; "" for unknown reasons."""
    if not slots_in(cluster.nodes(), trial):
        return "for a node that can hold a trial: there is none now; `ray status` shows the nodes"
    if cluster.started_here:
        return ""
    return (
        "no trial runs: processes are still starting, or other work uses the cluster and trials "
        "wait until it ends; `ray status` shows what is in use"
    )


def is_alive(address: str) -> bool:
    """Whether the machine at ``address`` is a live node of the connected cluster. Ray notices only
    after some seconds that a machine has crashed, so the machine itself is asked too."""
    return any(
        node["Alive"] and node["NodeManagerAddress"] == address and _answers(node)
        for node in ray.nodes()
    )


def _answers(node: Mapping[str, Any]) -> bool:
    """Whether the raylet of a node takes connections."""
    place = (node["NodeManagerAddress"], node["NodeManagerPort"])
    try:
        socket.create_connection(place, timeout=_ANSWERS_WITHIN).close()
    except OSError:
        return False
    return True
