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
    """Inside the block, ``lost`` is called, in a thread of its own, once Ray's control store has
    died, or the raylet of a Ray that was started here. It gets a message that says so."""
    left = threading.Event()
    look = _dead_here if started_here else Knocking(ray.get_runtime_context().gcs_address).dead
    every = _EVERY_HERE if started_here else _EVERY

    def watch() -> None:
        while not left.wait(every):
            if reason := look():
                lost(reason)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
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
            return f"Ray's {name} has died: it was killed, or the machine ran out of memory"
    return ""


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
