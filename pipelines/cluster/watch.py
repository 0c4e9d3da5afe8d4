"""Watches Ray's control store and raylet, because nothing works without them. Ray itself would say
nothing for a while, and would then end this process."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray

import psutil  # type: ignore[import-untyped]  # isort: skip  # Ray brings it along
from ray._private import worker

_NEEDED = {"gcs_server": "control store", "raylet": "raylet"}  # Ray's names, and the names shown
_EVERY = 1.0  # seconds
# Here: without a word, Ray ends a process whose next call finds the raylet dead.
_EVERY_HERE = 0.05
_SAY = 5.0  # seconds without an answer from another machine
_GIVE_UP = 50.0  # seconds: a restarted head keeps its cluster, and Ray waits for 60


@contextmanager
def watched(lost: Callable[[str], None], *, started_here: bool) -> Iterator[None]:
    """Inside the block, ``lost`` is called, in a thread of its own, once Ray's control store or the
    raylet of this machine has died. It gets a message that says so."""
    left = threading.Event()
    looks = [(_dead_here, _EVERY_HERE)]
    if not started_here:
        raylet = LocalRaylet(worker._global_node.raylet_socket_name)
        knocking = Knocking(ray.get_runtime_context().gcs_address)
        looks = [(raylet.dead, _EVERY_HERE), (knocking.dead, _EVERY)]

    def watch(look: Callable[[], str], every: float) -> None:
        while not left.wait(every):
            if (reason := look()) and not left.is_set():  # set before Ray is ended in good order
                lost(reason)
                return

    for arguments in looks:
        threading.Thread(target=watch, args=arguments, daemon=True).start()
    try:
        yield
    finally:
        left.set()


def end_ray() -> None:
    """Kill the processes of the Ray that this process started, and their descendants. With one of
    them dead, the others would stay for a minute."""
    node = worker._global_node
    if node is None:
        return
    started = [info.process.pid for infos in node.all_processes.values() for info in infos]
    for process in [process for pid in started for process in _with_descendants(pid)]:
        with suppress(psutil.Error):
            process.kill()


def _with_descendants(pid: int) -> list[Any]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:  # the process has died
        return []


def _dead_here() -> str:
    node = worker._global_node
    if node is None:
        return ""
    for kind, name in _NEEDED.items():
        if any(info.process.poll() is not None for info in node.all_processes.get(kind, [])):
            return _died(name)
    return ""


def _died(name: str) -> str:
    return f"Ray's {name} has died: it was killed, or the machine ran out of memory"


class LocalRaylet:
    """Holds a connection to the raylet of this machine, which is no child of this process. Linux
    closes the connection when the raylet dies."""

    def __init__(self, path: str) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(path)
        self._connection.setblocking(False)

    def dead(self) -> str:
        try:
            self._connection.recv(1)  # the raylet says nothing to a connection that asks nothing
        except BlockingIOError:
            return ""
        except OSError:
            pass
        return _died(_NEEDED["raylet"])


class Knocking:
    """Checks whether the control store on another machine answers."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._place = (host.strip("[]"), int(port))
        self._answered = time.monotonic()
        self._said = False

    def dead(self) -> str:
        try:
            socket.create_connection(self._place, timeout=_SAY).close()
        except OSError as error:
            silent = time.monotonic() - self._answered
            where = f"the head of the cluster at {self._place[0]}:{self._place[1]}"
            if silent > _GIVE_UP:
                return f"{where} does not answer any more: {error}"
            if silent > _SAY and not self._said:
                self._said = True
                print(f"waiting   {where} does not answer: {error}", file=sys.stderr, flush=True)
        else:
            self._answered, self._said = time.monotonic(), False
        return ""
