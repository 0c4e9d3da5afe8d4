"""Whether the Ray processes that a search needs are still alive."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from ray._private import worker

import pipelines.cluster.watch as watching
from pipelines.cluster.machines import Cluster


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("gcs_server", "Ray's control store has died: "),
        ("raylet", "Ray's raylet has died: "),
        ("log_monitor", ""),
    ],
)
def test_a_process_of_ray_without_which_nothing_goes_on(
    monkeypatch: pytest.MonkeyPatch, kind: str, says: str
) -> None:
    codes: dict[str, int | None] = {"gcs_server": None, "raylet": None, "log_monitor": None}
    processes = {name: [SimpleNamespace(process=Process(codes, name))] for name in codes}
    node = SimpleNamespace(all_processes=processes)
    monkeypatch.setattr(worker, "_global_node", node)
    assert watching._dead_here() == ""
    codes[kind] = -9
    assert watching._dead_here().startswith(says)
    assert bool(watching._dead_here()) == bool(says)


class Process(NamedTuple):
    """A started process."""

    codes: dict[str, int | None]
    name: str

    def poll(self) -> int | None:
        return self.codes[self.name]


def test_the_raylet_of_a_joined_cluster(tmp_path: Path) -> None:
    path = str(tmp_path / "raylet")
    with socket.socket(socket.AF_UNIX) as raylet:
        raylet.bind(path)
        raylet.listen()
        look = watching.LocalRaylet(path)
        connection, _ = raylet.accept()
        assert look.dead() == ""
        connection.close()  # as Linux does when the process dies
    assert look.dead().startswith("Ray's raylet has died: ")


def test_both_processes_of_a_joined_cluster_are_watched(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_EVERY", 0.01)
    for one in (watching.LocalRaylet, watching.Knocking):
        lost: SimpleQueue[str] = SimpleQueue()
        with monkeypatch.context() as patch:
            patch.setattr(one, "dead", lambda _, name=one.__name__: name)
            with watching.watched(lost.put, started_here=cluster.started_here):
                assert lost.get(timeout=60) == one.__name__


def test_a_head_that_is_silent_for_long_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with socket.create_server(("127.0.0.1", 0)) as head:
        port = head.getsockname()[1]
        knocking = watching.Knocking(f"127.0.0.1:{port}")
        now = 100.0
        assert knocking.dead() == ""  # however long ago it was asked
    now = 102.0
    assert knocking.dead() == ""
    assert capsys.readouterr().err == ""
    now = 110.0
    assert knocking.dead() == ""
    assert knocking.dead() == ""
    where = f"the head of the cluster at 127.0.0.1:{port}"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"waiting   {where} does not answer: ")
    now = 151.0
    assert knocking.dead().startswith(f"{where} does not answer any more: ")
