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
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_DONE = b"done"
_MORE, _BETWEEN = 2, 0.2  # looks, and seconds: what was killed may just have started another
_MARK = "RANGEFINDER_DRIVER"  # in the environment of what ends with this process


@contextmanager
def reaping() -> Iterator[dict[str, str]]:
    """Once this process has left the block or has died, nothing is left of what was started with
    what is yielded in its environment."""
    mark = f"{os.getpid()}-{time.time_ns()}"
    reaper = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, f"{_MARK}={mark}"],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the search
    )
    try:
        # The titles that Ray gives its processes are to leave their environment as it is.
        yield {_MARK: mark, "SPT_NOENV": "1"}
    finally:
        reaper.communicate(_DONE)


def reap(mark: str) -> None:
    """Kill all processes with ``mark`` in their environment."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


if __name__ == "__main__":
    killed = sys.stdin.buffer.read() != _DONE  # it reads until the pipe closes
    reap(sys.argv[1])
    for _ in range(_MORE if killed else 0):
        time.sleep(_BETWEEN)
        reap(sys.argv[1])
