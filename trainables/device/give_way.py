"""A process that takes what others leave of the machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")  # of Linux, where it groups processes by session


def give_way(niceness: int) -> None:
    """This process is ``niceness`` from now on.

    Where Linux shares the processors among sessions first (sched(7), "The autogroup feature"), the
    niceness of a process counts inside its session alone: what has a session of its own would get
    as much as all that trains together. So the session gets the niceness too.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _AUTOGROUP.write_text(str(niceness))
