"""A process that uses only the CPU time that others leave, also with Linux's autogroups."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os
from trainables.device.give_way import _AUTOGROUP, give_way
before = os.nice(0)
give_way(7)
print(os.nice(0) - before, _AUTOGROUP.read_text() if _AUTOGROUP.exists() else "")
"""


def given(*, own_session: bool) -> tuple[int, str]:
    """Records how much the niceness rises, and what is written to the session's autogroup."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=own_session,
    )
    nicer, _, group = done.stdout.strip().partition(" ")
    return int(nicer), group


def test_a_process_gives_way() -> None:
    assert given(own_session=True)[0] == given(own_session=False)[0] == 7


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this system has no groups of sessions"
)
def test_so_does_its_session_where_it_is_its_own() -> None:
    """Otherwise the session of another process would get the niceness too."""
    _, own = given(own_session=True)
    _, others = given(own_session=False)
    assert re.search(r"nice 7$", own)
    assert not re.search(r"nice 7$", others)
