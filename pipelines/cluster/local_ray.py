"""Ray on this machine, for one search: first what trials need, the dashboard once they train. No
other machine reaches any of its processes."""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ray import _raylet
from ray._private import node, parameter, worker

from pipelines.cluster.quiet import init
from pipelines.cluster.resources import Node

LOCAL = "local"
LOOPBACK = "127.0.0.1"

_AGENT_PORTS = ("metrics_agent_port", "runtime_env_agent_port", "dashboard_agent_listen_port")


def start(
    modules: Sequence[str] = (),
    job: Mapping[str, str] | None = None,
    marks: Mapping[str, str] | None = None,
) -> None:
    """Ray without the processes that only serve people or other machines, all of which listen on
    loopback. The processes for trials import ``modules`` before these come. For ``job`` see
    :func:`pipelines.cluster.quiet.init`. The environment of all has ``marks``."""
    settings = {
        "RAY_preload_python_modules": ",".join(modules),
        # A process that waits for its first trial is not to be ended and started anew.
        "RAY_idle_worker_killing_time_threshold_ms": "60000",
        # As any training that somebody starts: Ray would let all others go first.
        "RAY_worker_niceness": "0",
        # The titles that processes give themselves leave their environment as it is: see the marks.
        "SPT_NOENV": "1",
        **(marks or {}),
    }
    export_port = _free_port()
    ports = {name: _free_port() for name in _AGENT_PORTS}
    with _environment(settings), _bare({**ports, "metrics_export_port": export_port}):
        init(job, address=LOCAL, include_dashboard=False, _metrics_export_port=export_port)


def local_node(*, count_gpus: bool = True) -> Node:
    """What Ray would declare of this machine. To count GPUs takes a second."""
    gpus = 0
    if count_gpus:
        import torch

        gpus = torch.cuda.device_count()
    return Node("this machine", float(os.cpu_count() or 1), float(gpus))


class LateDashboard:
    """Ray's dashboard, which takes seconds of CPU to start: in the background, when asked to."""

    def __init__(self, marks: Mapping[str, str]) -> None:
        self._node = worker._global_node
        self._marks = marks
        self._closed = threading.Event()
        self._asked = False

    def open(
        self,
        opened: Callable[[str], None],
        pages: Callable[[], AbstractContextManager[str | None]] = nullcontext,
    ) -> None:
        """Start it; ``opened`` gets its address, or nothing where it does not start. ``pages`` is
        held while it is open, and gives the address of a server that it asks first for each page;
        ``None`` or "" for none."""
        if not self._asked:
            self._asked = True
            threading.Thread(target=self._run, args=(opened, pages), daemon=True).start()

    def close(self) -> None:
        """It ends with Ray."""
        self._closed.set()

    def _run(
        self,
        opened: Callable[[str], None],
        pages: Callable[[], AbstractContextManager[str | None]],
    ) -> None:
        with pages() as address:
            self._node._ray_params.proxy_server_url = address or None
            try:
                with _environment(self._marks):
                    self._node.start_api_server(include_dashboard=True, raise_on_failure=True)
            except Exception:  # Ray raises Exception itself; a search goes on without a dashboard
                return
            if not self._closed.is_set():
                opened(f"http://{self._node.webui_url}")
                self._closed.wait()  # Linux ends a process with the thread that started it


@contextmanager
def _bare(ports: Mapping[str, int]) -> Iterator[None]:
    """Inside, ``ray.init`` starts no API server, which the dashboard is part of, no monitor of an
    autoscaler, and no process that forwards what workers print. It does not wait for the agents of
    the node, which take a second to start: they get ports that are known before.

    All listen where the node has its address: ``ray.init`` itself takes loopback for a mistake."""
    make_parameters, start_api_server = parameter.RayParams, node.Node.start_api_server
    start_raylet = node.Node.start_raylet

    def start_with_ports(self: Any, *arguments: Any, **more: Any) -> None:
        for name, port in ports.items():
            folder = self.get_session_dir_path()
            _raylet.persist_port(folder, self._node_id, name, port)  # type: ignore[attr-defined]
        start_raylet(self, *arguments, **more)

    def parameters(**given: Any) -> Any:
        ours = {"node_ip_address": LOOPBACK, "no_monitor": True, "include_log_monitor": False}
        return make_parameters(**given | ours | {name: ports[name] for name in _AGENT_PORTS})

    parameter.RayParams = parameters
    node.Node.start_api_server = lambda self, **_: None
    node.Node.start_raylet = start_with_ports
    try:
        yield
    finally:
        parameter.RayParams, node.Node.start_api_server = make_parameters, start_api_server
        node.Node.start_raylet = start_raylet


def _free_port() -> int:
    """Outside of the range from which systems give ports away by themselves."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as found:
            if found.connect_ex((LOOPBACK, port)):
                return port


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of Ray's processes, which are its own when they have started."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: value for name, value in settings.items() if value})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
