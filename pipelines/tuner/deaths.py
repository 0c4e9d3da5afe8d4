"""Ray Tune ends a whole search where a process dies in a way that it does not expect, of memory for
example. Here each such death is that of one process."""

from __future__ import annotations

from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import RayActorError, RayTaskError

_handle = RayActorManager._actor_task_failed


def _failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
    if not isinstance(exception, RayActorError | RayTaskError):
        exception = RayActorError(error_msg=str(exception))
    _handle(self, tracked_actor_task, exception)


def expect_all() -> None:
    """From now on, in this process."""
    RayActorManager._actor_task_failed = _failed
