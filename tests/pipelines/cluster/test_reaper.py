import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RAYLET = "4000000"  # more than Linux gives to any process
HOLDS = f"""
from pipelines.cluster.reaper import reaping
with reaping({RAYLET}):
    print("ready", flush=True)
    input()
"""


@pytest.fixture
def agent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like one that the raylet has started."""
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "RAY_RAYLET_PID": RAYLET}) as process:
        yield process
        process.kill()


def test_a_driver_that_is_killed_leaves_nothing_of_its_raylet(
    agent: subprocess.Popen[bytes],
) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander, driver() as killed:
        killed.kill()
        assert agent.wait(30) == -signal.SIGKILL
        assert bystander.poll() is None
        bystander.kill()


def test_nothing_is_ended_before_the_driver_is(agent: subprocess.Popen[bytes]) -> None:
    with driver() as process:
        time.sleep(0.5)
        assert agent.poll() is None
        process.communicate("\n")
        assert agent.wait(30) == -signal.SIGKILL


def driver() -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process
