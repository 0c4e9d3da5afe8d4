"""Ends the processes that Ray leaves behind when this process is killed. Those are the agents of
its node: for a minute, they try to report their end to a control store that has itself ended. Linux
ends all other processes of Ray together with this one.

This file is also the program that waits for that. It imports only the standard library, because it
is run for every search.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_DONE = b"done"
_MORE, _BETWEEN = 2, 0.2  # rounds, seconds apart: a killed process may have started another
_MARK = "RANGEFINDER_DRIVER"  # in the environment of processes that must end with this one


@contextmanager
def reaping() -> Iterator[dict[str, str]]:
    """Yields variables for the environment of other processes. All processes that were started with
    these variables are killed when this process has left the block or has died."""
    mark = f"{os.getpid()}-{time.time_ns()}"
    reaper = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, f"{_MARK}={mark}"],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C must only reach the search
    )
    try:
        # SPT_NOENV: setting process titles, as Ray does, must not overwrite the environment.
        yield {_MARK: mark, "SPT_NOENV": "1"}
    finally:
        reaper.communicate(_DONE)


def reap(mark: str) -> None:
    """Kill all processes with ``mark`` in their environment."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has ended, or is not ours
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


if __name__ == "__main__":
    killed = sys.stdin.buffer.read() != _DONE  # this reads until the pipe closes
    reap(sys.argv[1])
    for _ in range(_MORE if killed else 0):
        time.sleep(_BETWEEN)
        reap(sys.argv[1])
