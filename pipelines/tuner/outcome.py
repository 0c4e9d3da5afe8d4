"""What Ray knows of a trial that has run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ray import cloudpickle
from ray.tune.experiment import Trial

from pipelines.tuner.attempts import Cause, LeavingError, MemoryHeldError

_ADDRESS = re.compile(r"^\s*ip: (\S+)$", re.MULTILINE)  # in Ray's message of an actor's death
_OUT_OF_MEMORY = ("out of memory", "status_alloc_failed")  # as CUDA and its libraries say it


def gpus_of(trial: Trial) -> float:
    """What Ray reserves for it."""
    return float(trial.placement_group_factory.required_resources.get("GPU", 0.0))


def exception_of(trial: Trial) -> BaseException:
    """What the trial raised, where it can be known here."""
    path = Path(trial.pickled_error_file or "")
    if not path.is_file():
        return RuntimeError("unknown error")
    try:
        error: BaseException = cloudpickle.loads(path.read_bytes())
    except Exception as unreadable:  # the error's class may be known to the worker alone
        return unreadable
    return error


def traceback_of(trial: Trial) -> str:
    """What the trial raised, as Ray wrote it down."""
    path = Path(trial.error_file or "")
    return path.read_text() if path.is_file() else "unknown error"


def cause_of(error: BaseException, node: str, alive: Callable[[str], bool]) -> Cause:
    """Why an attempt ended with ``error``. ``node`` is the address of the machine that it was last
    heard from, and ``alive`` says whether the machine at an address is still there."""
    from ray.exceptions import RayActorError, RayTaskError

    if isinstance(error, RayActorError):
        named = _ADDRESS.search(str(error))  # also of an attempt that was not heard from yet
        node = named[1] if named else node
        if error.preempted or (node and not alive(node)):
            return Cause.LOST
    raised = error.cause if isinstance(error, RayTaskError) else None
    if isinstance(raised, MemoryHeldError):
        return Cause.MEMORY_HELD
    if isinstance(raised, LeavingError):
        return Cause.LEAVING
    short = any(words in str(raised).lower() for words in _OUT_OF_MEMORY)
    return Cause.OUT_OF_MEMORY if short else Cause.ERROR
