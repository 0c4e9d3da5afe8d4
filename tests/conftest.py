"""One Ray for the whole suite: starting it takes longer than most tests."""

from __future__ import annotations

import os
import signal
import tempfile

# Torch's threads would wait for each other, because Ray's workers use the cores too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
from ray._private import services

from pipelines.cluster.connect import SETTINGS, connect
from pipelines.cluster.fork_server import ForkServer, fork_server
from pipelines.cluster.machines import Cluster
from pipelines.record.baselines import Baselines
from pipelines.study.ahead import IMPORTS
from pipelines.study.baseline import BaselineProcess

# A shell's background job ignores Ctrl-C, and so would the searches that its tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


class NoBaseline(BaselineProcess):
    """Skips the baselines, which would take longer than the small searches of the suite."""

    def start(self, show: Callable[[Baselines], None] = lambda found: None) -> None: ...


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A home and a temporary folder of this process alone, for notices, tokens and the like."""
    own = str(tmp_path_factory.mktemp("own"))
    os.environ.update({"HOME": own, "TMPDIR": own})
    os.environ.setdefault("RAY_TMPDIR", "/tmp")  # Ray's sockets must have short paths
    tempfile.tempdir = own


@contextmanager
def forking(server: ForkServer | None, address: str) -> Iterator[None]:
    """Inside the block, a Ray that starts has its workers forked by ``server``, whose socket is the
    file ``address``: Ray's own command takes seconds of CPU for each."""
    start = services.start_ray_process

    def start_forking(command: list[str], *more: Any, **named: Any) -> Any:
        if server is not None and any("--python_worker_command=" in word for word in command):
            command = server.forking(command, address)
        return start(command, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "start_ray_process", start_forking)
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two CPUs and one GPU, which is only declared: Ray still places fractions of it."""
    os.environ.update(SETTINGS)
    with (
        fork_server(IMPORTS, {}) as server,
        tempfile.TemporaryDirectory(dir="/tmp") as folder,  # a socket must have a short path
        pytest.MonkeyPatch.context() as patch,
    ):
        with forking(server, f"{folder}/fork_server"):
            ray.init("local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
        patch.setattr("pipelines.cli.quick_models.BaselineProcess", NoBaseline)
        with connect() as joined:
            yield joined
        ray.shutdown()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
