"""Connects to Ray without its messages on the terminal: Rangefinder itself reports what matters."""

from __future__ import annotations

import ctypes
import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
from ray._private import worker
from ray.job_config import JobConfig

_SIGACTION = 1024  # bytes, more than any system's `struct sigaction` has


def init(job: Mapping[str, str] | None = None, **options: Any) -> Any:
    """``ray.init``, with ``job`` for the dashboard: the list of jobs shows its "job_name", the page
    of the job shows all of it.

    The output of workers is not shown. Neither are a raylet's messages about processes that have
    died, which Ray would write to standard output whatever its settings are."""
    listen = worker.listen_error_messages
    worker.listen_error_messages = lambda *_: None
    try:
        if job:
            options["job_config"] = JobConfig(metadata=dict(job))
        with _keeping_handler(signal.SIGTERM):
            return ray.init(logging_level=logging.CRITICAL, log_to_driver=False, **options)
    finally:
        worker.listen_error_messages = listen


@contextmanager
def _keeping_handler(number: signal.Signals) -> Iterator[None]:
    """Afterwards the signal has the handler of before: Ray sets one that prints the stack of its
    C++ code. Python itself sets handlers in the main thread only, and there not during an import;
    Ray may be started in another thread meanwhile."""
    libc, before = ctypes.CDLL(None), ctypes.create_string_buffer(_SIGACTION)
    libc.sigaction(int(number), None, before)
    try:
        yield
    finally:
        libc.sigaction(int(number), before, None)
