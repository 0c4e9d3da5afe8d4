"""One Ray for the whole suite: starting it takes longer than most tests."""

from __future__ import annotations

import os
import signal
import tempfile

# Torch's threads would wait for each other where Ray's workers use the cores too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray

from pipelines.cluster.connect import SETTINGS, Cluster, connect
from pipelines.record.baselines import Baselines
from pipelines.study.baseline import BaselineProcess

# A shell has a job in the background ignore Ctrl-C, and with it the searches that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


class NoBaseline(BaselineProcess):
    """Quick models beside each of the suite's small searches would take longer than these."""

    def start(self, show: Callable[[Baselines], None] = lambda found: None) -> None: ...


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests find and leave there, such as a notice or a token, is of this process alone."""
    own = str(tmp_path_factory.mktemp("own"))
    os.environ.update({"HOME": own, "TMPDIR": own})
    os.environ.setdefault("RAY_TMPDIR", "/tmp")  # its sockets must have short paths
    tempfile.tempdir = own


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two CPUs and one GPU, declared and not there: Ray places fractions of it all the same."""
    os.environ.update(SETTINGS)
    ray.init("local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    with connect() as joined, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.cli.launch.BaselineProcess", NoBaseline)
        yield joined
    ray.shutdown()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
