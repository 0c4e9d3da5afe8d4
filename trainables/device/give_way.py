"""A process that uses only the CPU time that others leave."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")  # on Linux, if it groups processes by session


def give_way(niceness: int) -> None:
    """Raises the niceness of this process by ``niceness``.

    Linux may share the processors among sessions first (sched(7), "The autogroup feature"). Then
    the niceness of a process counts only inside its session, and a process with a session of its
    own would get as much CPU time as all trainings together. So the session gets the niceness too.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _AUTOGROUP.write_text(str(niceness))
