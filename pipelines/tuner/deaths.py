"""How Ray Tune learns that an attempt has ended.

Ray Tune ends the whole search if a process dies in a way that it does not expect, for example from
lack of memory. With the patches here, only the attempt ends. Ray Tune also writes errors to the
storage, which may be what has failed. With the patches here, errors are kept in memory.
"""

from __future__ import annotations

from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import RayActorError, RayTaskError
from ray.tune.experiment import Trial

_handle = RayActorManager._actor_task_failed


def _failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
    if not isinstance(exception, RayActorError | RayTaskError):
        exception = RayActorError(error_msg=str(exception))
    _handle(self, tracked_actor_task, exception)


def _remember(self: Any, exception: Exception | None = None) -> None:
    self.temporary_state.error = exception
    self.run_metadata.num_failures += 1
    self.run_metadata.invalidate_cache()


def error_of(trial: Trial) -> Exception:
    """The error that ended ``trial``."""
    error: Exception | None = getattr(trial.temporary_state, "error", None)
    return error or RuntimeError("unknown error")


def expect_all() -> None:
    """Apply both patches in this process."""
    RayActorManager._actor_task_failed = _failed
    Trial.handle_error = _remember
