"""Delays Ray's agents of a node until the dashboard starts. They serve the dashboard and nothing
that a trial needs, and each takes a second of CPU to start, just when the first trials start.

This file is also the program that waits in the place of an agent. It imports only the standard
library, because it is run for every search.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

_AGENTS = ("--dashboard_agent_command=", "--runtime_env_agent_command=")  # options of the raylet
_BETWEEN = 0.2  # seconds


def with_late_agents(raylet: list[str], flag: str) -> list[str]:
    """The command ``raylet``, changed so that its agents start once the file ``flag`` exists.

    The raylet ends if an agent ends, so a program has to wait in the place of each.
    """
    waiting = subprocess.list2cmdline([sys.executable, "-I", "-S", __file__, flag])
    return [_late(word, waiting) for word in raylet]


def _late(word: str, waiting: str) -> str:
    for option in _AGENTS:
        if word.startswith(option):
            return f"{option}{waiting} {word.removeprefix(option)}"
    return word


if __name__ == "__main__":
    parent = os.getppid()  # the raylet
    while not os.path.exists(sys.argv[1]):  # noqa: PTH110  pathlib takes longer to import
        if os.getppid() != parent:
            sys.exit()
        time.sleep(_BETWEEN)
    os.execv(sys.argv[2], sys.argv[2:])
