"""Follows the processes of a command."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]
RUN = [sys.executable, str(ROOT / "pipelines" / "run.py")]
ENDLESS = ["--trials", "1000", "--scheduler", "none", "--max-epochs", "3"]


def until(process: subprocess.Popen[str], start: str) -> str:
    """Reads its output up to a line that begins with this text; returns the line."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start):
            return line
    raise AssertionError(f"no line begins with {start}")


def left_with(name: str, value: str) -> list[int]:
    """The processes that have this variable in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{name}={value}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def wait_for(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)
