"""A trial's attempts: it is tried again where its machine was lost, its memory was short, or it
failed and may.

A further attempt is a new trial to Ray, which goes on from the last checkpoint; to the record, and
to whoever reads it, it is the same trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from search_spaces import Config

ATTEMPT = "__attempt__"  # where a config on its way to a trial says which attempt it is
_MOST_MACHINES = 100  # lost by one trial: a machine that dies each time is not bad luck


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
    """Which trial is trained, and where it stands when it starts (again)."""

    trial_id: str  # of the trial in the record: Ray's of the first attempt
    seed: int = 0  # of the training
    repeat_of: str = ""  # the trial whose config is trained again
    checkpoint: str | None = None  # path in the storage of what to go on from
    gpus: float | None = None  # for this attempt, where another had too few
    machines_lost: int = 0
    failures: int = 0

    def after(
        self, cause: Cause, max_failures: int, checkpoint: str | None, gpus: float = 0.0
    ) -> Attempt | None:
        """The next attempt; None where the trial has failed for good.

        ``gpus`` are those that this attempt had. Lost machines do not count as failures, nor does
        what keeps a trial from starting where it was to: memory held by the trial before, a machine
        about to go. A trial that ran out of memory gets one more attempt with twice the share of a
        GPU, where it had not the whole of one.
        """
        again = replace(self, checkpoint=checkpoint)
        if cause is Cause.LOST and self.machines_lost < _MOST_MACHINES:
            return replace(again, machines_lost=self.machines_lost + 1)
        if cause in (Cause.MEMORY_HELD, Cause.LEAVING):  # each time one such process ends
            return again
        if cause is Cause.OUT_OF_MEMORY and 0 < gpus < 1:
            return replace(again, gpus=min(2 * gpus, 1.0)) if self.gpus is None else None
        if cause in (Cause.ERROR, Cause.OUT_OF_MEMORY) and self.failures < max_failures:
            return replace(again, failures=self.failures + 1)
        return None


def pack(config: Config, attempt: Attempt) -> dict[str, Any]:
    """``config`` on its way to a trial, with the attempt that it is for."""
    return {**config, ATTEMPT: asdict(attempt)}


def unpack(config: Mapping[str, Any], trial_id: str = "") -> tuple[Config, Attempt]:
    """The config and the attempt of a trial that Ray calls ``trial_id``."""
    plain = {name: value for name, value in config.items() if name != ATTEMPT}
    fields = config.get(ATTEMPT)
    return plain, Attempt(**fields) if fields else Attempt(trial_id)
