"""Connecting to Ray, with the settings that matter and the reason for each."""

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

ON_PREMISES = "local"  # Ray's word for the provider of machines that are one's own
_AUTOSCALER_CONFIG = "~/ray_bootstrap_config.yaml"  # where `ray up` puts it on the head

# Held by whoever has connected this process to Ray, and will end that.
_CONNECTED = threading.Lock()

SETTINGS = {
    # CSV, JSON and TensorBoard files per trial cost as much as all the rest of a short trial.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ray would ask a searcher for one trial at a time; ours says itself how many fit.
    "TUNE_MAX_PENDING_TRIALS_PG": "10000",
    # Ray's snapshots of the experiment are not used: the record is ours, and written at once.
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # Ctrl-C ends a study through its stopper, so that a checkpoint under way is not lost.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Ray's own tables and its usage prompt would break up our progress display.
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    # From Ray's next version on, 0 GPUs no longer hides the GPUs from a worker; take it now.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass
class Cluster:
    """A Ray cluster that this process is connected to."""

    dashboard: str  # its address; "" where there is none, or not yet
    started_here: bool
    late_dashboard: LateDashboard | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Ray copies it along with what it reserves for a trial; a dashboard stays where it is."""
        return {**vars(self), "late_dashboard": None}

    def open_dashboard(
        self,
        say: Callable[[str], None],
        pages: Callable[[], AbstractContextManager[str | None]] = nullcontext,
    ) -> None:
        """Start the one that was left for later, in the background; ``say`` gets its address.
        ``pages`` are shown inside: see :meth:`LateDashboard.open`."""

        def opened(address: str) -> None:
            self.dashboard = address
            say(address)

        if self.late_dashboard is not None:
            self.late_dashboard.open(opened, pages)

    def nodes(self) -> list[Node]:
        """Those that are there now."""
        return [_node(node) for node in ray.nodes() if node["Alive"]]

    def nodes_at_most(self) -> list[Node]:
        """Those that may be there: with an autoscaler, all that it may add.

        What machines of one's own have is known once they are there: they are among ``nodes``.
        """
        config = self._launched_with()
        if config is not None and config["provider"]["type"] != ON_PREMISES:
            return nodes_of_config(config)
        workers = workers_at_most() if config is None and not self.started_here else []
        return [*self._head(), *workers] if workers else self.nodes()

    def _head(self) -> list[Node]:
        """The node where Ray was started first, while it is there."""
        return [
            _node(node)
            for node in ray.nodes()
            if node["Alive"] and HEAD_NODE_RESOURCE_NAME in node["Resources"]
        ]

    def machines_to_come(self) -> list[str]:
        """The addresses of one's own machines that `ray up` starts and that are not there yet."""
        config = self._launched_with()
        if config is None or config["provider"]["type"] != ON_PREMISES:
            return []
        there = {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
        return [address for address in config["provider"]["worker_ips"] if address not in there]

    def may_grow(self) -> bool:
        """Whether an autoscaler may add nodes to those that are there."""
        return len(self.nodes_at_most()) > len(self.nodes()) or bool(self.machines_to_come())

    @property
    def launched(self) -> bool:
        """Whether `ray up` has started it, from another machine."""
        return self._launched_with() is not None

    def _launched_with(self) -> dict[str, Any] | None:
        """The YAML file that `ray up` made this cluster from; None where something else did."""
        path = Path(_AUTOSCALER_CONFIG).expanduser()
        if self.started_here or not path.is_file():
            return None
        config: dict[str, Any] = yaml.safe_load(path.read_text())
        return config


def _node(described: Mapping[str, Any]) -> Node:
    """What Ray says of a live node."""
    resources = described["Resources"]
    return Node(
        name=described["NodeManagerHostname"],
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
    )


def nodes_of_config(config: dict[str, Any]) -> list[Node]:
    """The head and every worker that a cluster's YAML file, as Ray has filled it in, allows."""
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
    """:func:`connect` in a thread of its own, while this one goes on: once Ray's processes are on
    their way, for imports here would hold them up. What is yielded waits for the cluster, and
    raises what ``connect`` raises."""
    found: Future[Cluster] = Future()
    launched, done = threading.Event(), threading.Event()
    found.add_done_callback(lambda _: launched.set())

    def hold() -> None:
        try:
            with connect(
                address, dashboard=dashboard, modules=modules, job=job, launched=launched.set
            ) as cluster:
                found.set_result(cluster)
                done.wait()  # Linux ends Ray's processes with the thread that started them
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
    an address, join the one that runs on this machine, or start Ray here; ``"local"`` starts Ray
    here in any case, with a dashboard that waits for :meth:`Cluster.open_dashboard`; the processes
    of trials then import ``modules`` ahead. The Jobs page of the dashboard shows what ``job`` says.
    ``launched`` is called once the processes of a Ray that starts here are on their way.

    Raises:
        ClusterError: no cluster answers at ``address``, or another thread uses one that ends when
            it leaves.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if not _CONNECTED.acquire(timeout=1):
            raise ClusterError(
                "another search of this process uses the Ray that it started: run one after the "
                "other, or call `ray.init()` first"
            )
        stack.callback(_CONNECTED.release)
        connected_before = ray.is_initialized()  # in a notebook, say: it is not ours to shut down
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
                with uncollected():  # Ray ends a process that frees a handle while it shuts down
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
        hint = "; RAY_TMPDIR names another folder for it" if isinstance(error, OSError) else ""
        raise ClusterError(f"Ray does not start here: {_first_line(error)}{hint}") from None
    return Cluster("", True, LateDashboard(marks) if dashboard else None)


def _join(address: str | None, job: Mapping[str, str] | None) -> Cluster | None:
    """None where Ray is to be started here."""
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
    """Raises ``ClusterError``, within seconds and without starting anything, where :func:`connect`
    would find no cluster at ``address`` or be refused by it."""
    _find(address)


def _find(address: str | None) -> str | None:
    """The cluster to join, which answers; None where Ray is to be started here.

    Ray itself would try for a minute where nothing listens any more.
    """
    if address == LOCAL:
        return None
    if address not in (None, "auto"):
        knock(address)
        return address
    found = get_ray_address_from_environment(None, None)  # RAY_ADDRESS, or what `ray start` noted
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
            return None  # it was killed and could not take its note away
        return str(found)
    if address == "auto":
        raise ClusterError("no Ray cluster runs on this machine: start one with `ray start --head`")
    return None


def slot_counter(
    cluster: Cluster, trial: TrialResources, limit: int | None = None, refresh: float = 3.0
) -> Callable[[], int]:
    """How many trials may run at once: follows the cluster, asked at most once per ``refresh``
    seconds. Where an autoscaler may add nodes theirs count too: it adds them for pending trials.
    """
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
