"""A dashboard that starts late, or never."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from ray._private import ray_constants, services, worker

from pipelines.cli.text import Terminal
from pipelines.cli.watching import Watching
from pipelines.cluster.local_ray import LateDashboard
from pipelines.cluster.machines import Cluster


def test_that_it_does_not_start_is_said_after_ten_minutes(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said, waited = threading.Event(), []

    def start(**_: Any) -> None:
        waited.append(ray_constants.RAY_DASHBOARD_STARTUP_TIMEOUT_S)
        raise RuntimeError("Failed to start the dashboard")

    monkeypatch.setattr(worker, "_global_node", node(tmp_path, start))
    cluster = Cluster("", started_here=True, late_dashboard=LateDashboard({}))
    watching = Watching(Terminal(), tmp_path)

    def opened(address: str) -> None:
        watching._opened(address)
        said.set()

    cluster.open_dashboard(opened)
    assert said.wait(60)
    assert waited == [600]
    assert ray_constants.RAY_DASHBOARD_STARTUP_TIMEOUT_S < 600
    assert capsys.readouterr().out.startswith("dashboard none: Ray's has not started; ")
    assert cluster.dashboard == ""


def test_one_that_is_starting_when_the_search_ends_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    before, starts, ended = services.ConsolePopen, threading.Event(), threading.Event()

    def start(**_: Any) -> None:
        process = services.ConsolePopen(["sleep", "600"], env={})
        starts.set()
        process.wait()
        ended.set()
        raise RuntimeError("Failed to start the dashboard")

    monkeypatch.setattr(worker, "_global_node", node(tmp_path, start))
    said: list[str] = []
    late = LateDashboard({})
    late.open(said.append)
    assert starts.wait(60)
    late.close()
    assert ended.is_set()
    assert services.ConsolePopen is before
    assert said == []


def test_one_whose_pages_start_when_the_search_ends_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    started, closed, left = [], threading.Event(), threading.Event()

    @contextmanager
    def pages() -> Iterator[str]:
        closed.wait()
        yield "http://127.0.0.1:1"
        left.set()

    monkeypatch.setattr(worker, "_global_node", node(tmp_path, lambda **_: started.append(1)))
    late = LateDashboard({})
    late.open(lambda _: None, pages)
    late.close()
    closed.set()
    assert left.wait(60)
    assert started == []


def node(folder: Any, start: Any) -> SimpleNamespace:
    return SimpleNamespace(
        get_session_dir_path=lambda: str(folder),
        start_api_server=start,
        _ray_params=SimpleNamespace(),
    )
