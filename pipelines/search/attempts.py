"""A trial's attempts: it is tried again where its machine was lost, its memory was short, or it
failed and may.

A further attempt is a new trial to Ray, which goes on from the last checkpoint; to the record, and
to whoever reads it, it is the same trial.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from search_spaces import Config

ATTEMPT = "__attempt__"  # where a config on its way to a trial says which attempt it is
_ADDRESS = re.compile(r"^\s*ip: (\S+)$", re.MULTILINE)  # in Ray's message of an actor's death
_OUT_OF_MEMORY = ("out of memory", "status_alloc_failed")  # as CUDA and its libraries say it
_MOST_LOSSES = 100  # of one trial: a machine that dies each time is not bad luck


class Cause(Enum):
    """Why an attempt ended without an end of the training."""

    LOST = "its machine was lost"
    OUT_OF_MEMORY = "its share of the GPU's memory was too small"
    MEMORY_HELD = "the trial before it left memory of the GPU taken, so its process ends"
    LEAVING = "its machine is about to be taken away"
    ERROR = "it raised an error, or its process died"


class MemoryHeldError(RuntimeError):
    """A process that is to run a trial still holds memory of the GPU for the one before."""

    def __init__(self, held: int) -> None:
        super().__init__(held)

    def __str__(self) -> str:
        return f"the trial before holds {self.args[0] / 2**20:.0f} MiB of the GPU's memory"


class LeavingError(RuntimeError):
    """A trial is to start on a machine that is about to be taken away."""


@dataclass(frozen=True)
class Attempt:
    """Where a trial stands when it starts (again)."""

    trial_id: str  # of the trial in the record: Ray's of the first attempt
    checkpoint: str | None = None  # path in the storage of what to go on from
    gpus: float | None = None  # for this attempt, where another had too few
    losses: int = 0
    errors: int = 0

    def after(
        self, cause: Cause, max_failures: int, checkpoint: str | None, gpus: float = 0.0
    ) -> Attempt | None:
        """The next attempt; None where the trial has failed for good.

        ``gpus`` are those that this attempt had. Losses do not count as failures, nor does what
        keeps a trial from starting where it was to: memory held by the trial before, a machine
        about to go. A trial that ran out of memory gets one more attempt with twice the share of a
        GPU, where it had not the whole of one.
        """
        again = replace(self, checkpoint=checkpoint)
        if cause is Cause.LOST and self.losses < _MOST_LOSSES:
            return replace(again, losses=self.losses + 1)
        if cause in (Cause.MEMORY_HELD, Cause.LEAVING):  # each time one such process ends
            return again
        if cause is Cause.OUT_OF_MEMORY and 0 < gpus < 1:
            return replace(again, gpus=min(2 * gpus, 1.0)) if self.gpus is None else None
        if cause in (Cause.ERROR, Cause.OUT_OF_MEMORY) and self.errors < max_failures:
            return replace(again, errors=self.errors + 1)
        return None


def pack(config: Config, attempt: Attempt) -> dict[str, Any]:
    """``config`` on its way to a trial, with the attempt that it is for."""
    return {**config, ATTEMPT: asdict(attempt)}


def unpack(config: Mapping[str, Any], trial_id: str = "") -> tuple[Config, Attempt]:
    """The config and the attempt of a trial that Ray calls ``trial_id``."""
    plain = {name: value for name, value in config.items() if name != ATTEMPT}
    fields = config.get(ATTEMPT)
    return plain, Attempt(**fields) if fields else Attempt(trial_id)


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
