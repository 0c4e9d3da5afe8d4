"""What Ray knows of a trial whose attempt has ended."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ray.tune.experiment import Trial

from pipelines.tuner.attempts import AttemptError, Cause
from pipelines.tuner.deaths import error_of

if TYPE_CHECKING:
    from pipelines.tuner.trial import EpochReport

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS = re.compile(r"^\s*ip: (\S+)$", re.MULTILINE)  # in Ray's message of an actor's death
_NO_MEMORY = "due to the node running low on memory"  # in Ray's message of whom it killed
_USED = re.compile(r"was (\S+) used / (\S+) limit")  # of the machine's memory
_OUT_OF_MEMORY = ("out of memory", "status_alloc_failed")  # as CUDA and its libraries say it
MOST_ERROR = 300  # characters of a line
MOST_TRACEBACK = 20_000  # characters


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended: ``error`` is a line, ``traceback`` all there is to know."""

    cause: Cause
    error: str
    traceback: str
    reports: tuple[EpochReport, ...] = ()  # of the epochs before it


def gpus_of(trial: Trial) -> float:
    """What Ray reserves for it."""
    return float(trial.placement_group_factory.required_resources.get("GPU", 0.0))


def failure_of(trial: Trial, node: str, alive: Callable[[str], bool]) -> Failure:
    """What ended the attempt of ``trial``: see :func:`explain`."""
    error = error_of(trial)
    return explain(error, _COLOURS.sub("", str(error)), node, alive)


def explain(error: BaseException, told: str, node: str, alive: Callable[[str], bool]) -> Failure:
    """What ``error`` means, of which Ray has written down what is ``told``. ``node`` is the address
    of the machine that the attempt was last heard from, and ``alive`` says whether the machine at
    an address is still there."""
    from ray.exceptions import RayActorError, RayTaskError

    raised = error.cause if isinstance(error, RayTaskError) else error
    if isinstance(raised, AttemptError):
        line, text = shortened(raised.error), raised.traceback or told
        return Failure(raised.cause, line, text, raised.reports)
    if _NO_MEMORY in told:  # of whatever class: it depends on what the process was about
        used = _USED.search(told)
        of = f" ({used[1]} of {used[2]} were in use)" if used else ""
        return Failure(Cause.NO_MEMORY, f"{Cause.NO_MEMORY.value}{of}", cut(told))
    if isinstance(error, RayActorError):
        named = _ADDRESS.search(str(error))  # also of an attempt that was not heard from yet
        node = named[1] if named else node
        if error.preempted or (node and not alive(node)):
            return Failure(Cause.LOST, Cause.LOST.value, str(error))
        if not error.actor_init_failed:
            return Failure(Cause.DIED, Cause.DIED.value, cut(str(error)))
    return Failure(cause_of(str(raised)), shortened(_last_line(told)), cut(told))


def cause_of(error: str) -> Cause:
    """Why a trainable raised what says ``error``."""
    short = any(words in error.lower() for words in _OUT_OF_MEMORY)
    return Cause.OUT_OF_MEMORY if short else Cause.ERROR


def shortened(line: str) -> str:
    """What fits into a line of a terminal or a page."""
    line = " ".join(line[: 2 * MOST_ERROR].split())
    return line if len(line) <= MOST_ERROR else f"{line[:MOST_ERROR]}..."


def cut(text: str) -> str:
    """The two ends of what is too long to keep."""
    if len(text) <= MOST_TRACEBACK:
        return text
    half = MOST_TRACEBACK // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters ...\n{text[-half:]}"


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.strip().splitlines()) if line.strip()), "")
