"""Which file of `ray up` belongs to the cluster that this process is connected to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from ray._private import worker

from pipelines.cluster import launched
from pipelines.cluster.launched import launched_with
from pipelines.cluster.machines import Cluster

FILE = "ray_bootstrap_config.yaml"
Autoscaler = Callable[..., None]


@pytest.fixture
def autoscaler(cluster: Cluster) -> Iterator[Autoscaler]:
    """Starts a process with the command line of an autoscaler."""
    with ExitStack() as stack:

        def start(session: str, *options: str) -> None:
            words = ("--logs-dir=" + session + "/logs", *options)
            program = "print(flush=True); input()"
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", program, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()  # by then it has its command line

        yield start


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / FILE
    path.write_text("cluster_name: mine")
    monkeypatch.setattr(launched, "_FILE", str(path))
    launched._has_autoscaler.cache_clear()
    return path


def this_session() -> str:
    assert worker._global_node is not None
    return str(worker._global_node.get_session_dir_path())


def test_the_file_that_the_autoscaler_of_this_cluster_was_given(autoscaler: Autoscaler) -> None:
    autoscaler(this_session(), f"--autoscaling-config=~/{FILE}")
    assert launched_with() == {"cluster_name": "mine"}


def test_a_file_that_an_earlier_cluster_has_left_does_not_count(autoscaler: Autoscaler) -> None:
    autoscaler(this_session())  # `ray start --head` by hand
    autoscaler("/tmp/ray/session_of_another", f"--autoscaling-config=~/{FILE}")
    assert launched_with() is None


def test_without_the_file_nothing_was_launched(autoscaler: Autoscaler, file: Path) -> None:
    autoscaler(this_session(), f"--autoscaling-config=~/{FILE}")
    file.unlink()
    assert launched_with() is None
