"""What Ray leaves when this process is killed: the agents of its node try for a minute to tell a
control store of their end that has ended itself. Linux ends all others with this process.

The file is also the program that waits for the end. It imports what comes with Python, and nothing
else: it starts with every search.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FROM_RAYLET = "RAY_RAYLET_PID"  # in the environment of all that a raylet starts


@contextmanager
def reaping(raylet: int) -> Iterator[None]:
    """Once this process has left the block or has died, nothing is left of what that raylet has
    started."""
    reaper = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(raylet)],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the search
    )
    assert reaper.stdin is not None
    try:
        yield
    finally:
        reaper.stdin.close()
        reaper.wait()


def reap(raylet: int) -> None:
    mark = f"{_FROM_RAYLET}={raylet}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            if mark in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


if __name__ == "__main__":
    sys.stdin.buffer.read()  # until the pipe closes
    reap(int(sys.argv[1]))
