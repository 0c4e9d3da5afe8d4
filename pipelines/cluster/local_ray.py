"""Ray on this machine, for one search. First the processes start that trials need; the dashboard
starts once trials train. No other machine can reach any of the processes."""

from __future__ import annotations

import os
import random
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ray import _raylet
from ray._private import node, parameter, ray_constants, services, utils, worker

from pipelines.cluster.fork_server import ForkServer
from pipelines.cluster.late_agent import with_late_agents
from pipelines.cluster.quiet import init
from pipelines.cluster.resources import Node

LOCAL = "local"
LOOPBACK = "127.0.0.1"

_PATIENCE, _BETWEEN = 5.0, 0.02  # seconds for the node to register, and between two checks

# Seconds for the dashboard to start. Nothing waits for it, and trials may leave it few cores.
_PATIENCE_DASHBOARD = 600
_PATIENCE_CLOSING = 5.0  # seconds for the start of a dashboard to notice that it was ended

_LONGEST_FOLDER = 70  # bytes: a socket's path may have 107; Python's own part of it takes 33

_AGENT_PORTS = ("metrics_agent_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
_EXPORT_PORT = "metrics_export_port"

_POPEN = services.ConsolePopen
_RANDOM = random.SystemRandom()  # not the user's: two searches with one seed need different ports


def start(
    server: ForkServer | None = None,
    job: Mapping[str, str] | None = None,
    marks: Mapping[str, str] | None = None,
    launched: Callable[[], None] = lambda: None,
) -> None:
    """Start Ray without the processes that only serve people or other machines. All processes
    listen on loopback. If there is a ``server``, it forks the processes for trials. For ``job`` see
    :func:`pipelines.cluster.quiet.init`. All processes have ``marks`` in their environment.
    ``launched`` is called once the last process has been started, before the processes answer."""
    settings = {
        # A process that waits for its first trial must not be ended and started anew.
        "RAY_idle_worker_killing_time_threshold_ms": "60000",
        # If there is no answer, ask again after 20 ms instead of after a second, for 10 s.
        "RAY_raylet_client_connect_timeout_milliseconds": "20",
        "RAY_raylet_client_num_connect_attempts": "500",
        # Normal priority, as for any training: Ray would let all other processes go first.
        "RAY_worker_niceness": "0",
        **(marks or {}),
    }
    names = [*_AGENT_PORTS, _EXPORT_PORT]
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    with _processes_with(settings), _bare(ports, server, launched):
        init(job, address=LOCAL, include_dashboard=False, _metrics_export_port=ports[_EXPORT_PORT])


def local_node(*, count_gpus: bool = True) -> Node:
    """The resources that Ray would declare for this machine. Counting GPUs takes a second."""
    gpus = 0
    if count_gpus:
        import torch

        gpus = torch.cuda.device_count()
    return Node("this machine", float(os.cpu_count() or 1), float(gpus))


class LateDashboard:
    """Ray's dashboard, started later in the background, because that takes seconds of CPU."""

    def __init__(self, marks: Mapping[str, str]) -> None:
        self._node = worker._global_node
        self._marks = marks
        self._closed = threading.Event()
        self._free = threading.Event()  # unset while our thread uses Ray
        self._free.set()
        self._turn = threading.Lock()
        self._process: Any = None
        self._asked = False

    def open(
        self,
        opened: Callable[[str], None],
        pages: Callable[[], AbstractContextManager[str | None]] = nullcontext,
    ) -> None:
        """Start the dashboard. ``opened`` gets its address, or "" if it does not start. ``pages``
        is entered while the dashboard is open. It gives the address of a server that the dashboard
        asks first for each page; ``None`` or "" for no server."""
        if not self._asked:
            self._asked = True
            threading.Thread(target=self._run, args=(opened, pages), daemon=True).start()

    def close(self) -> None:
        """Let the waiting thread end. A dashboard that has not opened yet is ended. One that has
        opened ends with Ray. Afterwards the thread uses Ray no more: if it asked a Ray that has
        ended, Ray's C++ code would end this whole process after a minute."""
        with self._turn:
            self._closed.set()
            if self._process is not None and not self._free.is_set():
                self._process.kill()
        self._free.wait(_PATIENCE_CLOSING)

    def _run(
        self,
        opened: Callable[[str], None],
        pages: Callable[[], AbstractContextManager[str | None]],
    ) -> None:
        with pages() as address:
            with self._turn:
                if self._closed.is_set():
                    return
                self._free.clear()
            try:
                self._start(address or None)
            except Exception:  # Ray raises Exception itself; a search goes on without a dashboard
                url = ""
            else:
                url = f"http://{self._node.webui_url}"
            finally:
                self._free.set()
            if not self._closed.is_set():
                opened(url)
            if url:
                self._closed.wait()  # Linux ends a process when the thread that started it ends

    def _start(self, pages: str | None) -> None:
        self._node._ray_params.proxy_server_url = pages
        Path(_flag(self._node)).touch()
        tempfile.gettempdir()  # remembers this process's own folder
        folder = self._node.get_session_dir_path()  # for sockets that the dashboard leaves
        with (
            _processes_with({**self._marks, **_temporary_files_in(folder)}, self._launch),
            _replaced(ray_constants, RAY_DASHBOARD_STARTUP_TIMEOUT_S=_PATIENCE_DASHBOARD),
        ):
            self._node.start_api_server(include_dashboard=True, raise_on_failure=True)

    def _launch(self, *arguments: Any, **more: Any) -> Any:
        with self._turn:
            if self._closed.is_set():
                raise RuntimeError("the search has ended")
            self._process = _POPEN(*arguments, **more)
            return self._process


@contextmanager
def _bare(
    ports: Mapping[str, int], server: ForkServer | None, launched: Callable[[], None]
) -> Iterator[None]:
    """Inside the block, ``ray.init`` starts no API server, of which the dashboard is a part, no
    monitor of an autoscaler, and no process that forwards what workers print. It does not wait for
    the agents of the node, which start with the dashboard: their ports are chosen in advance.

    All processes listen on the address of the node, which is set to loopback here, because
    ``ray.init`` itself treats loopback as a mistake."""
    make_parameters, start_raylet = parameter.RayParams, node.Node.start_raylet
    start_process = services.start_ray_process

    def start_with_ports(self: Any, *arguments: Any, **more: Any) -> None:
        for name, port in ports.items():
            folder = self.get_session_dir_path()
            _raylet.persist_port(folder, self._node_id, name, port)  # type: ignore[attr-defined]

        def start_changed(command: list[str], *arguments: Any, **more: Any) -> Any:
            command = with_late_agents(command, _flag(self))
            if server is not None:
                command = server.forking(command, f"{self.get_session_dir_path()}/fork_server")
            return start_process(command, *arguments, **more)

        with (
            _replaced(services, start_ray_process=start_changed),
            # Ray would import `ray[default]` only to find out that it is installed.
            _replaced(utils, get_dashboard_dependency_error=lambda: None),
        ):
            start_raylet(self, *arguments, **more)
        launched()
        _await_registration(self)

    def parameters(**given: Any) -> Any:
        ours = {"node_ip_address": LOOPBACK, "no_monitor": True, "include_log_monitor": False}
        return make_parameters(**given | ours | {name: ports[name] for name in _AGENT_PORTS})

    with (
        _replaced(parameter, RayParams=parameters),
        _replaced(
            node.Node, start_api_server=lambda self, **_: None, start_raylet=start_with_ports
        ),
    ):
        yield


def _processes_with(
    variables: Mapping[str, str], launch: Callable[..., Any] = _POPEN
) -> AbstractContextManager[None]:
    """Inside the block, all processes that Ray starts have ``variables`` in their environment, and
    each gets its own process group. So a signal to the group of the search, as from `timeout` or a
    closing terminal, only reaches the search, which then ends Ray's processes.

    The environment of this process does not change: other threads may read it meanwhile.

    The processes do not get their own sessions, because Linux shares the processors among sessions
    first. If the system does not end Ray's processes with this one, they stay in its group: Ray
    then uses a program that needs them there."""
    group = {"process_group": 0} if utils.detect_fate_sharing_support() else {}

    def start_process(command: list[str], *, env: Mapping[str, str], **more: Any) -> Any:
        return launch(command, env={**env, **variables}, **group, **more)

    return _replaced(services, ConsolePopen=start_process)


@contextmanager
def _replaced(owner: Any, **attributes: Any) -> Iterator[None]:
    """Inside the block, ``attributes`` replace those of ``owner``."""
    before = {name: getattr(owner, name) for name in attributes}
    for name, value in attributes.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


def _await_registration(started: node.Node) -> None:
    """Wait for the node. Ray itself would check once, and then again only after a second."""
    control_store = started.get_gcs_client()
    give_up = time.monotonic() + _PATIENCE
    while not control_store.get_all_node_info() and time.monotonic() < give_up:
        time.sleep(_BETWEEN)


def _temporary_files_in(folder: str) -> dict[str, str]:
    """The variable that puts a process's temporary files into ``folder``; empty if the paths of
    sockets there would be too long."""
    return {"TMPDIR": folder} if len(os.fsencode(folder)) < _LONGEST_FOLDER else {}


def _flag(started: node.Node) -> str:
    """The file that the agents of the node wait for."""
    return f"{started.get_session_dir_path()}/agents_may_start"


def _free_ports(n: int) -> list[int]:
    """``n`` different free ports, outside the range from which systems assign ports themselves."""
    found: set[int] = set()
    while len(found) < n:
        port = _RANDOM.randrange(20_000, 32_000)
        with socket.socket() as asked:
            if asked.connect_ex((LOOPBACK, port)):
                found.add(port)
    return sorted(found)
