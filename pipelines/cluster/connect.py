"""Connects to Ray, with the settings that matter and the reason for each."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml
from ray._common.constants import HEAD_NODE_RESOURCE_NAME
from ray._private.services import get_ray_address_from_environment
from ray.exceptions import RayError

from pipelines.cluster.address import ClusterError, TokenError, knock
from pipelines.cluster.fork_server import ForkServer, fork_server
from pipelines.cluster.garbage import uncollected
from pipelines.cluster.kuberay import workers_at_most
from pipelines.cluster.local_ray import LOCAL as LOCAL
from pipelines.cluster.local_ray import LateDashboard, start
from pipelines.cluster.quiet import init
from pipelines.cluster.reaper import reaping
from pipelines.cluster.resources import Node, TrialResources, slots_in

ON_PREMISES = "local"  # Ray's name of the provider for your own machines
_AUTOSCALER_CONFIG = "~/ray_bootstrap_config.yaml"  # where `ray up` puts this file on the head

# Held by the thread that has connected this process to Ray and will disconnect it.
_CONNECTED = threading.Lock()

SETTINGS = {
    # Writing CSV, JSON and TensorBoard files costs as much as the rest of a short trial.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ray would ask a searcher for one trial at a time; our searcher itself limits how many run.
    "TUNE_MAX_PENDING_TRIALS_PG": "10000",
    # Ray's snapshots of the experiment are not used: our own record is written at once.
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # Ctrl-C ends a study through its stopper, so that a checkpoint being written is not lost.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Ray's own tables and its usage prompt would break up our progress display.
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    # In Ray's next version, 0 GPUs no longer hides the GPUs from a worker; use that behaviour now.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass
class Cluster:
    """A Ray cluster that this process is connected to."""

    dashboard: str  # its address; "" if there is none (yet)
    started_here: bool
    late_dashboard: LateDashboard | None = None

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

    def nodes_at_most(self) -> list[Node]:
        """The nodes that there may be, including all that an autoscaler may add.

        The resources of your own machines are known only after they have joined; then they are in
        :meth:`nodes`.
        """
        config = self._launched_with()
        if config is not None and config["provider"]["type"] != ON_PREMISES:
            return nodes_of_config(config)
        workers = workers_at_most() if config is None and not self.started_here else []
        return [*self._head(), *workers] if workers else self.nodes()

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
        return [address for address in config["provider"]["worker_ips"] if address not in there]

    def may_grow(self) -> bool:
        """Whether more nodes may join: from an autoscaler, or your own machines."""
        return len(self.nodes_at_most()) > len(self.nodes()) or bool(self.machines_to_come())

    @property
    def launched(self) -> bool:
        """Whether `ray up` started the cluster, from another machine."""
        return self._launched_with() is not None

    def _launched_with(self) -> dict[str, Any] | None:
        """The YAML file from which `ray up` made this cluster; None if something else made it."""
        path = Path(_AUTOSCALER_CONFIG).expanduser()
        if self.started_here or not path.is_file():
            return None
        config: dict[str, Any] = yaml.safe_load(path.read_text())
        return config


def _node(described: Mapping[str, Any]) -> Node:
    """A live node, from Ray's description."""
    resources = described["Resources"]
    return Node(
        name=described["NodeManagerHostname"],
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
    )


def nodes_of_config(config: dict[str, Any]) -> list[Node]:
    """The head and every worker that a cluster's YAML file, as completed by Ray, allows."""
    types = config["available_node_types"]
    head_type = config["head_node_type"]
    head, workers = [], []
    for name, node_type in types.items():
        resources = node_type.get("resources", {})
        node = Node(name, resources.get("CPU", 0.0), resources.get("GPU", 0.0))
        if name == head_type:
            head = [node]
        else:
            workers += [node] * node_type.get("max_workers", config["max_workers"])
    return head + workers[: config["max_workers"]]


@contextmanager
def connecting(
    address: str | None = None,
    *,
    dashboard: bool = True,
    modules: Sequence[str] = (),
    job: Mapping[str, str] | None = None,
) -> Iterator[Callable[[], Cluster]]:
    """:func:`connect` in a thread of its own. This thread goes on as soon as Ray's processes have
    been launched, because imports here would delay them. The yielded function waits for the
    cluster, and raises what ``connect`` raises."""
    found: Future[Cluster] = Future()
    launched, done = threading.Event(), threading.Event()
    found.add_done_callback(lambda _: launched.set())

    def hold() -> None:
        try:
            with connect(
                address, dashboard=dashboard, modules=modules, job=job, launched=launched.set
            ) as cluster:
                found.set_result(cluster)
                done.wait()  # Linux ends Ray's processes when the thread that started them ends
        except Exception as error:
            if found.done():
                raise
            found.set_exception(error)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    try:
        launched.wait()
        yield found.result
    finally:
        done.set()
        thread.join()


@contextmanager
def connect(
    address: str | None = None,
    *,
    dashboard: bool = True,
    modules: Sequence[str] = (),
    job: Mapping[str, str] | None = None,
    launched: Callable[[], None] = lambda: None,
) -> Iterator[Cluster]:
    """Use the cluster that this process is connected to, or join the one at ``address``. Without
    an address, join the cluster that runs on this machine, or start Ray here. ``"local"`` always
    starts Ray here.

    If Ray is started here, the ``dashboard``, if asked for, starts with
    :meth:`Cluster.open_dashboard`, the processes of trials have ``modules`` imported in advance,
    and ``launched`` is called once Ray's processes have been launched. The Jobs page of the
    dashboard shows ``job``.

    Raises:
        ClusterError: no cluster answers at ``address``, or another thread has connected this
            process to Ray and has not disconnected it yet.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if not _CONNECTED.acquire(timeout=1):
            raise ClusterError(
                "another search has connected this process to Ray: run one search after the other, "
                "or call `ray.init()` first"
            )
        stack.callback(_CONNECTED.release)
        connected_before = ray.is_initialized()  # in a notebook, say: do not shut it down
        if connected_before:
            stack.close()
        cluster = _join(address, job)
        if cluster is None:
            marks = stack.enter_context(reaping())
            server = stack.enter_context(fork_server(modules, marks))
            cluster = _start(dashboard, server, job, marks, launched)
        try:
            yield cluster
        finally:
            if cluster.late_dashboard is not None:
                cluster.late_dashboard.close()
            if not connected_before:
                with uncollected():  # freeing a handle during the shutdown would end this process
                    ray.shutdown()


def _start(
    dashboard: bool,
    server: ForkServer | None,
    job: Mapping[str, str] | None,
    marks: Mapping[str, str],
    launched: Callable[[], None],
) -> Cluster:
    try:
        start(server, job, marks, launched)
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        hint = "; set RAY_TMPDIR to another folder" if isinstance(error, OSError) else ""
        raise ClusterError(f"Ray cannot be started here: {_first_line(error)}{hint}") from None
    return Cluster("", True, LateDashboard(marks) if dashboard else None)


def _join(address: str | None, job: Mapping[str, str] | None) -> Cluster | None:
    """Join a cluster; None if Ray must be started here."""
    if ray.is_initialized():
        return _joined(init(ignore_reinit_error=True))
    found = _find(address)
    if found is None:
        return None
    try:
        return _joined(init(job, address=found))
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = _first_line(error)
        raise ClusterError(f"no Ray cluster at `address` {found}: {reason}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]


def _joined(context: Any) -> Cluster:
    url = context.dashboard_url
    return Cluster(f"http://{url}" if url else "", started_here=False)


def check_address(address: str | None) -> None:
    """Raises ``ClusterError`` if :func:`connect` would find no cluster at ``address``, or would be
    refused by it. This takes seconds and starts nothing."""
    _find(address)


def _find(address: str | None) -> str | None:
    """The address of a cluster that answers; None if Ray must be started here.

    Ray itself would try for a minute if nothing listens any more.
    """
    if address == LOCAL:
        return None
    if address not in (None, "auto"):
        knock(address)
        return address
    found = get_ray_address_from_environment(None, None)  # RAY_ADDRESS, or the note of `ray start`
    if found not in (None, LOCAL):
        try:
            knock(found)
        except TokenError as error:
            if address is None:
                raise TokenError(f"{error}; `address=local` starts Ray here") from None
            raise
        except ClusterError:
            if address == "auto" or "RAY_ADDRESS" in os.environ:
                raise
            return None  # that Ray was killed and could not remove its note
        return str(found)
    if address == "auto":
        raise ClusterError("no Ray cluster runs on this machine: start one with `ray start --head`")
    return None


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
                slots_in(nodes, trial) for nodes in (cluster.nodes(), cluster.nodes_at_most())
            )
        return slots if limit is None else min(slots, limit)

    return count


def is_alive(address: str) -> bool:
    """Whether the machine at ``address`` is a live node of the connected cluster."""
    return any(node["Alive"] and node["NodeManagerAddress"] == address for node in ray.nodes())
