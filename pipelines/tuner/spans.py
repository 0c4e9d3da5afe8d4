"""Named spans in the timeline of Ray's dashboard."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import ray
from ray._private import worker


def span(name: str) -> AbstractContextManager[Any]:
    """What runs inside is called ``name`` there; nowhere, where there is no Ray.

    Ray's own ``profiling.profile`` does nothing unless RAY_PROFILING is set.
    """
    if not ray.is_initialized():
        return nullcontext()
    found: AbstractContextManager[Any] = worker.global_worker.core_worker.profile_event(
        b"trial", {"name": name}
    )
    return found
