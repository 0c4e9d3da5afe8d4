"""Ray's agents wait for the dashboard."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipelines.cluster import late_agent
from pipelines.cluster.late_agent import with_late_agents

BECOMES = [sys.executable, "-c", "print('the agent')"]


def test_the_agents_alone_wait() -> None:
    raylet = ["raylet", "--dashboard_agent_command=python agent.py --head", "--head"]
    first, agent, last = with_late_agents(raylet, "/flag")
    assert (first, last) == ("raylet", "--head")
    waiting = f"{sys.executable} -I -S {late_agent.__file__} /flag"
    assert agent == f"--dashboard_agent_command={waiting} python agent.py --head"


def test_an_agent_starts_once_the_flag_is_there_in_the_process_that_waited(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", late_agent.__file__, str(flag), *BECOMES],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        _until(lambda: _waits(process.pid))
        flag.touch()
        assert process.communicate(timeout=30)[0] == "the agent\n"
        assert process.returncode == 0


def test_what_waits_ends_with_the_raylet(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", late_agent.__file__, str(tmp_path / "flag"), *BECOMES]
    starts = f"import subprocess; print(subprocess.Popen({command!r}).pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", starts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as raylet:
        assert raylet.stdout is not None
        pid = int(raylet.stdout.readline())
        _until(lambda: _waits(pid))  # it knows its parent by now
        raylet.kill()
        _until(lambda: not _lives(pid))


def _waits(pid: int) -> bool:
    """Whether the process has started and sleeps."""
    process = Path("/proc", str(pid))
    started = late_agent.__file__ in (process / "cmdline").read_text().split("\0")
    return started and "State:\tS" in (process / "status").read_text()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
