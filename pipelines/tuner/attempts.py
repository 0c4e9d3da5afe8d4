"""The attempts of a trial. A trial gets another attempt if its machine or its process was lost, if
memory ran out, or if it failed and `max_failures` allows it.

To Ray, another attempt is a new trial, which goes on from the last checkpoint. In the record it is
the same trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from search_spaces import Config

if TYPE_CHECKING:
    from ray.tune import Checkpoint

    from pipelines.tuner.epoch_reports import EpochReport

_COUNTS = ("machines_lost", "failures", "processes_lost", "out_of_memory")
ATTEMPT = "__attempt__"  # the key of the attempt in a config that is sent to a trial
_MOST_MACHINES = 100  # that one trial may lose: so many lost machines are no accident
_MOST_PROCESSES = 3  # that one trial may lose: a trial that kills its process does so each time


class Cause(Enum):
    """Why an attempt ended before its training did."""

    LOST = "its machine was lost"
    OUT_OF_MEMORY = "its share of the GPU's memory was too small"
    NO_MEMORY = "its machine ran out of memory, and Ray ended its process"
    DIED = "its process crashed, was killed, or ended itself"
    MEMORY_HELD = "the previous trial left GPU memory in use, so the process ends"
    SPOILED = "the previous trial left the process changed, so the process ends"
    LEAVING = "its machine is about to be taken away"
    STORAGE = "its checkpoint cannot be written"
    DAMAGED = "its checkpoint is damaged"
    HUNG = "it reported no epoch for too long, so its process was ended"
    ERROR = "it raised an error"


class AttemptError(RuntimeError):
    """The process of an attempt says why the attempt ended: in plain text, because the driver may
    not know the class of an exception that the trainable raised."""

    def __init__(self, cause: Cause, error: str = "", traceback: str = "") -> None:
        super().__init__(cause, error, traceback)
        self.cause = cause
        self.error = error or cause.value
        self.traceback = traceback
        self.reports: tuple[EpochReport, ...] = ()  # epochs that were not reported before

    def __str__(self) -> str:
        return self.error


@dataclass(frozen=True)
class Attempt:
    """Which trial is trained, and from where it starts (again)."""

    trial_id: str  # in the record: Ray's name of the first attempt
    seed: int = 0  # of the training
    repeat_of: str = ""  # the trial whose config is trained again
    checkpoint: str | None = None  # to go on from: its path in the storage, or a URI
    gpus: float | None = None  # for this attempt, if an earlier one had too few
    machines_lost: int = 0
    failures: int = 0
    processes_lost: int = 0
    out_of_memory: int = 0  # times that its machine ran out of memory

    @property
    def counts(self) -> dict[str, int]:
        """How often each cause ended an attempt, for the record. Zeros are left out."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {name: count for name, count in counts.items() if count}

    def with_counts(self, counts: Mapping[str, int]) -> Attempt:
        """The same attempt with the counts of the record."""
        known: dict[str, Any] = {name: counts.get(name, 0) for name in _COUNTS}
        return replace(self, **known)

    def checkpoint_in(self, storage: str) -> Checkpoint:
        """The checkpoint to go on from. ``storage`` is an absolute path or a URI."""
        from pyarrow.fs import FileSystem
        from ray.tune import Checkpoint

        assert self.checkpoint is not None
        if "://" in self.checkpoint or self.checkpoint.startswith("/"):
            filesystem, path = FileSystem.from_uri(self.checkpoint)
        else:
            filesystem, path = FileSystem.from_uri(storage)[0], self.checkpoint
        return Checkpoint(path, filesystem)

    def after(
        self,
        cause: Cause,
        max_failures: int,
        checkpoint: str | None,
        gpus: float = 0.0,
        *,
        alone: bool = True,
    ) -> Attempt | None:
        """The next attempt; None if the trial has failed for good.

        ``gpus`` is what this attempt had, and ``alone`` says whether no other trial ran beside it.

        Lost machines and processes do not count as failures. Neither does what keeps a trial from
        starting: the state that the previous trial left in the process, or a machine that is about
        to be taken away. A trial that ran out of GPU memory gets one more attempt with twice its
        share of the GPU, unless it had the whole GPU. A trial whose machine ran out of memory runs
        again with fewer trials beside it, until it has been tried alone. A trial whose checkpoint
        is damaged starts anew.
        """
        again = replace(self, checkpoint=checkpoint)
        if cause is Cause.DAMAGED:
            return replace(again, checkpoint=None)
        if cause is Cause.LOST and self.machines_lost < _MOST_MACHINES:
            return replace(again, machines_lost=self.machines_lost + 1)
        if cause in (Cause.MEMORY_HELD, Cause.SPOILED, Cause.LEAVING):
            return again  # no limit is needed: each time, one such process ends
        if cause is Cause.DIED and self.processes_lost < _MOST_PROCESSES:
            return replace(again, processes_lost=self.processes_lost + 1)
        if cause is Cause.NO_MEMORY and not (alone and self.out_of_memory):
            return replace(again, out_of_memory=self.out_of_memory + 1)
        if cause is Cause.OUT_OF_MEMORY and 0 < gpus < 1:
            return replace(again, gpus=min(2 * gpus, 1.0)) if self.gpus is None else None
        counts = cause in (Cause.ERROR, Cause.OUT_OF_MEMORY, Cause.HUNG)
        if counts and self.failures < max_failures:
            return replace(again, failures=self.failures + 1)
        return None


def pack(config: Config, attempt: Attempt) -> dict[str, Any]:
    """``config`` with its attempt, to be sent to a trial."""
    return {**config, ATTEMPT: asdict(attempt)}


def unpack(config: Mapping[str, Any], trial_id: str = "") -> tuple[Config, Attempt]:
    """The config and the attempt of a trial that Ray calls ``trial_id``."""
    plain = {name: value for name, value in config.items() if name != ATTEMPT}
    fields = config.get(ATTEMPT)
    return plain, Attempt(**fields) if fields else Attempt(trial_id)
