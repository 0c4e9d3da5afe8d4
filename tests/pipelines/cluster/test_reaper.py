import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
DRIVER = """
import os, subprocess
from pipelines.cluster.reaper import reaping
with reaping() as marks:
    print(subprocess.Popen(["sleep", "60"], env=os.environ | marks).pid, flush=True)
    input()
"""


def test_a_driver_that_is_killed_leaves_nothing_of_what_it_has_started() -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander, driver() as killed:
        process = started_by(killed)
        killed.kill()
        wait_until_gone(process)
        assert bystander.poll() is None
        bystander.kill()


def test_nothing_is_ended_before_the_driver_is() -> None:
    with driver() as waits:
        process = started_by(waits)
        time.sleep(0.5)
        assert running(process)
        waits.communicate("\n")
        wait_until_gone(process)


def driver() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def started_by(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def wait_until_gone(process: int) -> None:
    end = time.monotonic() + 30
    while running(process):
        assert time.monotonic() < end
        time.sleep(0.05)


def running(process: int) -> bool:
    """Whether it runs. A zombie does not count: nothing waits for an orphan here."""
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
