"""Connecting to Ray without its own words on the terminal: what matters of them is said by us."""

from __future__ import annotations

import logging
from typing import Any

import ray
from ray._private import worker


def init(**options: Any) -> Any:
    """``ray.init``. Nothing is shown of what workers print, nor of what a raylet says of processes
    that have died: Ray writes the latter to standard output, whatever it is told."""
    listen = worker.listen_error_messages
    worker.listen_error_messages = lambda *_: None
    try:
        return ray.init(logging_level=logging.CRITICAL, log_to_driver=False, **options)
    finally:
        worker.listen_error_messages = listen
