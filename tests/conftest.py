"""One Ray for the whole suite: starting it takes longer than most tests."""

from __future__ import annotations

import os
import signal
import tempfile

# Torch's threads would wait for each other, because Ray's workers use the cores too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray

from pipelines.cluster.connect import SETTINGS, connect
from pipelines.cluster.machines import Cluster
from pipelines.record.baselines import Baselines
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


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two CPUs and one GPU, which is only declared: Ray still places fractions of it."""
    os.environ.update(SETTINGS)
    ray.init("local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    with connect() as joined, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.cli.quick_models.BaselineProcess", NoBaseline)
        yield joined
    ray.shutdown()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
