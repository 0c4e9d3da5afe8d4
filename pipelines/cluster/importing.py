"""Imports without the garbage collector, which takes a seventh of the time of large imports: it
walks through all objects again and again, although modules are not garbage."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.cluster.garbage import uncollected

_TURN = 0.0002  # seconds


@contextmanager
def importing() -> Iterator[None]:
    """Inside the block, the garbage collector does not run, and a waiting thread gets the
    interpreter soon. That matters because Ray starts in a thread meanwhile, and releases the
    interpreter hundreds of times."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        with uncollected():
            yield
    finally:
        sys.setswitchinterval(interval)
