"""Connecting to Ray without its own words on the terminal: what matters of them is said by us."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import ray
from ray._private import worker
from ray.job_config import JobConfig


def init(job: Mapping[str, str] | None = None, **options: Any) -> Any:
    """``ray.init``; the dashboard shows ``job`` as what this process is: its "job_name" on the list
    of jobs, all of it on its own page.

    Nothing is shown of what workers print, nor of what a raylet says of processes that have died:
    Ray writes the latter to standard output, whatever it is told."""
    listen = worker.listen_error_messages
    worker.listen_error_messages = lambda *_: None
    try:
        if job:
            options["job_config"] = JobConfig(metadata=dict(job))
        return ray.init(logging_level=logging.CRITICAL, log_to_driver=False, **options)
    finally:
        worker.listen_error_messages = listen
