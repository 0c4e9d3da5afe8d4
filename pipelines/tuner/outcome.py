"""Why an attempt has ended, found out from what Ray says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ray.tune.experiment import Trial

from pipelines.tuner.attempts import AttemptError, Cause
from pipelines.tuner.deaths import error_of

if TYPE_CHECKING:
    from pipelines.tuner.epoch_reports import EpochReport

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS = re.compile(r"^\s*ip: (\S+)$", re.MULTILINE)  # in Ray's message about an actor's death
_NO_MEMORY = "due to the node running low on memory"  # in Ray's message about a killed process
_USED = re.compile(r"was (\S+) used / (\S+) limit")  # of the machine's memory
# In messages of CUDA and its libraries, of which cuDNN 9 says it in its own way.
_OUT_OF_MEMORY = ("out of memory", "status_alloc_failed", "device_allocation_failed")
MOST_ERROR = 300  # characters of one line
MOST_TRACEBACK = 20_000  # characters


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended: ``error`` is one line, ``traceback`` has all the details."""

    cause: Cause
    error: str
    traceback: str
    reports: tuple[EpochReport, ...] = ()  # of the epochs before the failure


def gpus_of(trial: Trial) -> float:
    """The GPUs that Ray reserves for ``trial``."""
    return float(trial.placement_group_factory.required_resources.get("GPU", 0.0))


def failure_of(trial: Trial, node: str, alive: Callable[[str], bool]) -> Failure:
    """What ended the attempt of ``trial``: see :func:`explain`."""
    error = error_of(trial)
    return explain(error, _COLOURS.sub("", str(error)), node, alive)


def explain(error: BaseException, told: str, node: str, alive: Callable[[str], bool]) -> Failure:
    """What ``error`` means; ``told`` is Ray's text about it. ``node`` is the address of the machine
    that the attempt last reported from, and ``alive`` says whether the machine at an address is
    still there."""
    from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError

    raised = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(raised, AttemptError):
        line, text = shortened(raised.error), raised.traceback or told
        return Failure(raised.cause, line, text, raised.reports)
    if _NO_MEMORY in told:  # the class of the error depends on what the process was doing
        used = _USED.search(told)
        of = f" ({used[1]} of {used[2]} were in use)" if used else ""
        return Failure(Cause.NO_MEMORY, f"{Cause.NO_MEMORY.value}{of}", cut(told))
    if isinstance(error, RayActorError):
        named = _ADDRESS.search(str(error))  # also for an attempt that has not reported yet
        node = named[1] if named else node
        # Ray is told within a second if only the process has died.
        silent = isinstance(error, ActorUnavailableError) and not node
        if error.preempted or silent or (node and not alive(node)):
            return Failure(Cause.LOST, Cause.LOST.value, str(error))
        if not error.actor_init_failed:
            return Failure(Cause.DIED, Cause.DIED.value, cut(str(error)))
    return Failure(cause_of(str(raised)), shortened(_last_line(told)), cut(told))


def cause_of(error: str) -> Cause:
    """The cause behind the message of an exception that a trainable raised."""
    short = any(words in error.lower() for words in _OUT_OF_MEMORY)
    return Cause.OUT_OF_MEMORY if short else Cause.ERROR


def shortened(line: str) -> str:
    """``line``, cut to what fits into a line of a terminal or a page."""
    line = " ".join(line[: 2 * MOST_ERROR].split())
    return line if len(line) <= MOST_ERROR else f"{line[:MOST_ERROR]}..."


def cut(text: str) -> str:
    """``text``, or its beginning and end if it is too long to keep."""
    if len(text) <= MOST_TRACEBACK:
        return text
    half = MOST_TRACEBACK // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters ...\n{text[-half:]}"


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.strip().splitlines()) if line.strip()), "")
