"""Imports without the garbage collector, which takes a seventh of the time of large ones: it walks
through all that there is again and again, and modules are not garbage.

As a module that a worker of Ray imports ahead, this imports those that its environment names.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from pipelines.cluster.garbage import uncollected

_TURN = 0.0002  # seconds
MODULES = "RANGEFINDER_PRELOAD"  # their names, with commas


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


if names := os.environ.pop(MODULES, ""):
    with importing():
        for name in names.split(","):
            import_module(name)
    gc.freeze()  # what a worker has imported stays: later walks leave it out
