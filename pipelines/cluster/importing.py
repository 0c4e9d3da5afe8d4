"""Imports without the garbage collector, which takes a seventh of the time of large ones: it walks
through all that there is again and again, and modules are not garbage."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.cluster.garbage import uncollected

_TURN = 0.0002  # seconds


@contextmanager
def importing() -> Iterator[None]:
    """Inside, nothing is collected, and a thread that waits for the interpreter gets it soon: Ray,
    which starts meanwhile in one, lets it go hundreds of times."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        with uncollected():
            yield
    finally:
        sys.setswitchinterval(interval)
