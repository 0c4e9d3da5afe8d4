"""Named spans in the timeline of Ray's dashboard."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import ray
from ray._private import worker


def span(name: str) -> AbstractContextManager[Any]:
    """The block appears in the timeline as ``name``. Without Ray, this does nothing.

    Ray's own ``profiling.profile`` does nothing unless RAY_PROFILING is set.
    """
    if not ray.is_initialized():
        return nullcontext()
    found: AbstractContextManager[Any] = worker.global_worker.core_worker.profile_event(
        b"trial", {"name": name}
    )
    return found
