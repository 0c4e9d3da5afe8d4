"""A dashboard that starts late, or never."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from ray._private import ray_constants, worker

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

    node = SimpleNamespace(
        get_session_dir_path=lambda: str(tmp_path),
        start_api_server=start,
        _ray_params=SimpleNamespace(),
    )
    monkeypatch.setattr(worker, "_global_node", node)
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
