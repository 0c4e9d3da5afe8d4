"""Connects to Ray without its messages on the terminal: Rangefinder itself reports what matters."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import ray
from ray._private import worker
from ray.job_config import JobConfig


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
        return ray.init(logging_level=logging.CRITICAL, log_to_driver=False, **options)
    finally:
        worker.listen_error_messages = listen
