"""The command in a process of its own, as from a shell."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import ray

from pipelines.cli.command import INTERRUPTED
from pipelines.cluster.connect import Cluster
from pipelines.study.runs import open_run

ROOT = Path(__file__).parents[3]
LISTEN = "0A"  # a state in /proc/net/tcp
LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
RUN = [sys.executable, str(ROOT / "pipelines" / "run.py")]


@pytest.fixture
def join(cluster: Cluster) -> list[str]:
    return ["--address", ray.get_runtime_context().gcs_address, "--name", "it"]


def test_the_example_of_a_users_own_trainable(elsewhere: Path, join: list[str]) -> None:
    page = (ROOT / "docs" / "own_trainable.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (command,) = re.findall(r"python pipelines/run.py (.*)", page)
    Path("mine.py").write_text(code)
    done = subprocess.run([*RUN, *command.split(), *join], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    trials = open_run("runs/it").finished
    assert len(trials) == 12
    assert all(("weight_decay" in t.config) == t.config["regularise"] for t in trials)
    assert max(t.value or 0.0 for t in trials) > 0.9
    assert Path("runs/it/best.pt").exists()


def test_ctrl_c_keeps_what_is_finished(elsewhere: Path, join: list[str]) -> None:
    options = ["--trials", "1000", "--scheduler", "none", "--max-epochs", "3"]
    with subprocess.Popen(
        [*RUN, *options, *join], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("new best"):
                break
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert errors == ""
    assert "stopped by Ctrl-C" in rest
    trials = open_run("runs/it").finished
    assert 0 < len(trials) < 1000
    assert len(Path("runs/it/trials.csv").read_text().splitlines()) == len(trials) + 1


def test_a_kill_loses_only_what_had_not_finished(elsewhere: Path, join: list[str]) -> None:
    options = ["--trials", "1000", "--scheduler", "none", "--max-epochs", "1"]
    with subprocess.Popen([*RUN, *options, *join], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not Path("runs/it/study.journal").exists() or len(open_run("runs/it").finished) < 5:
            assert process.poll() is None
            time.sleep(0.5)  # a core that only looks would be missed by the trials
        os.kill(process.pid, signal.SIGKILL)
    assert len(open_run("runs/it").finished) >= 5


def test_nothing_else_is_printed_where_there_is_no_terminal(
    elsewhere: Path, join: list[str]
) -> None:
    options = ["--trials", "2", "--max-epochs", "2"]
    done = subprocess.run([*RUN, *options, *join], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    words = {line.split()[0] for line in done.stdout.splitlines()}
    known = (
        "data search resources run waiting new trials epochs best config next the dashboard report"
    )
    assert words - set(known.split()) <= {"0/2", "1/2", "2/2"}


def test_a_local_search_opens_its_dashboard_once_it_trains(elsewhere: Path) -> None:
    """No process of it is in reach of other machines, and none is left of them."""
    options = ["--trials", "1000", "--scheduler", "none", "--max-epochs", "3", "--name", "it"]
    with subprocess.Popen(
        [*RUN, *options, "--address", "local"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RANGEFINDER_TEST": str(elsewhere)},
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("dashboard "):
                break
        (url,) = re.findall(r"http://\S+", lines[-1])
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert answer.status == 200
        listening = listeners(left_with("RANGEFINDER_TEST", str(elsewhere)))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert any(line.startswith("new best") for line in lines)
    assert len(listening) > 5  # Ray's control store, its raylet, its agents, workers, this driver
    assert {address for address in listening if address not in LOOPBACK} == set()
    wait_for(lambda: not left_with("RANGEFINDER_TEST", str(elsewhere)))


def left_with(name: str, value: str) -> list[int]:
    """The processes that have a variable in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{name}={value}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def listeners(processes: list[int]) -> list[str]:
    """The addresses at which they take TCP connections, as the kernel writes them."""
    sockets = set()
    for process in processes:
        with contextlib.suppress(OSError):
            sockets |= {str(fd.readlink()) for fd in Path(f"/proc/{process}/fd").iterdir()}
    lines = [line.split() for name in ("tcp", "tcp6") for line in open_in_kernel(name)]
    return [
        address.rpartition(":")[0]
        for address, state, inode in ((line[1], line[3], line[9]) for line in lines)
        if state == LISTEN and f"socket:[{inode}]" in sockets
    ]


def open_in_kernel(name: str) -> list[str]:
    return Path(f"/proc/net/{name}").read_text().splitlines()[1:]


def wait_for(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)
