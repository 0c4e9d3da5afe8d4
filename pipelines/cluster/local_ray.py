"""Ray on this machine, for one search: first what trials need, the dashboard once they train."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray
from ray._private import node, parameter, worker

LOCAL = "local"
QUIET: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}


def start(modules: Sequence[str] = ()) -> None:
    """Ray without the processes that only serve people or other machines. The processes for trials
    import ``modules`` before these come."""
    with _environment(modules), _bare():
        ray.init(address=LOCAL, include_dashboard=False, **QUIET)


class LateDashboard:
    """Ray's dashboard, which takes seconds of CPU to start: in the background, when asked to."""

    def __init__(self) -> None:
        self._node = worker._global_node
        self._closed = threading.Event()
        self._asked = False

    def open(self, opened: Callable[[str], None]) -> None:
        """Start it; ``opened`` gets its address, or nothing where it does not start."""
        if not self._asked:
            self._asked = True
            threading.Thread(target=self._run, args=(opened,), daemon=True).start()

    def close(self) -> None:
        """It ends with Ray."""
        self._closed.set()

    def _run(self, opened: Callable[[str], None]) -> None:
        try:
            self._node.start_api_server(include_dashboard=True, raise_on_failure=True)
        except Exception:  # Ray raises Exception itself; a search goes on without a dashboard
            return
        if not self._closed.is_set():
            opened(f"http://{self._node.webui_url}")
            self._closed.wait()  # Linux ends a process with the thread that started it


@contextmanager
def _bare() -> Iterator[None]:
    """Inside, ``ray.init`` starts no API server, which the dashboard is part of, no monitor of an
    autoscaler, and no process that forwards what workers print."""
    make_parameters, start_api_server = parameter.RayParams, node.Node.start_api_server
    parameter.RayParams = partial(make_parameters, no_monitor=True, include_log_monitor=False)
    node.Node.start_api_server = lambda self, **_: None
    try:
        yield
    finally:
        parameter.RayParams, node.Node.start_api_server = make_parameters, start_api_server


@contextmanager
def _environment(modules: Sequence[str]) -> Iterator[None]:
    """Settings of Ray's processes, which are its own when they have started."""
    settings = {
        "RAY_preload_python_modules": ",".join(modules),
        # A process that waits for its first trial is not to be ended and started anew.
        "RAY_idle_worker_killing_time_threshold_ms": "60000",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: value for name, value in settings.items() if value})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
