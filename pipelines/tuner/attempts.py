"""A trial's attempts: it is tried again where its machine or its process was lost, its memory was
short, or it failed and may.

A further attempt is a new trial to Ray, which goes on from the last checkpoint; to the record, and
to whoever reads it, it is the same trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from search_spaces import Config

if TYPE_CHECKING:
    from ray.tune import Checkpoint

    from pipelines.tuner.trial import EpochReport

_COUNTS = ("machines_lost", "failures", "processes_lost", "out_of_memory")
ATTEMPT = "__attempt__"  # where a config on its way to a trial says which attempt it is
_MOST_MACHINES = 100  # lost by one trial: a machine that dies each time is not bad luck
_MOST_PROCESSES = 3  # lost by one trial: what ends its own process does so each time


class Cause(Enum):
    """Why an attempt ended without an end of the training."""

    LOST = "its machine was lost"
    OUT_OF_MEMORY = "its share of the GPU's memory was too small"
    NO_MEMORY = "its machine ran out of memory, and Ray ended its process"
    DIED = "its process crashed, was killed, or ended itself"
    MEMORY_HELD = "the trial before it left memory of the GPU taken, so its process ends"
    SPOILED = "the trial before it left its process changed, so that ends"
    LEAVING = "its machine is about to be taken away"
    STORAGE = "its checkpoint cannot be written"
    HUNG = "it reported no epoch for too long, so its process was ended"
    ERROR = "it raised an error"


class AttemptError(RuntimeError):
    """An attempt ended, as its process says: in plain words, which can be read where what the
    trainable raised is not known."""

    def __init__(self, cause: Cause, error: str = "", traceback: str = "") -> None:
        super().__init__(cause, error, traceback)
        self.cause = cause
        self.error = error or cause.value
        self.traceback = traceback
        self.reports: tuple[EpochReport, ...] = ()  # epochs that nobody was told of before

    def __str__(self) -> str:
        return self.error


@dataclass(frozen=True)
class Attempt:
    """Which trial is trained, and where it stands when it starts (again)."""

    trial_id: str  # of the trial in the record: Ray's of the first attempt
    seed: int = 0  # of the training
    repeat_of: str = ""  # the trial whose config is trained again
    checkpoint: str | None = None  # what to go on from: its path in the storage, or a URI
    gpus: float | None = None  # for this attempt, where another had too few
    machines_lost: int = 0
    failures: int = 0
    processes_lost: int = 0
    out_of_memory: int = 0  # times that its machine ran out of memory

    @property
    def counts(self) -> dict[str, int]:
        """How often what ended an attempt, for the record."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {name: count for name, count in counts.items() if count}

    def with_counts(self, counts: Mapping[str, int]) -> Attempt:
        """With those of the record."""
        known: dict[str, Any] = {name: counts.get(name, 0) for name in _COUNTS}
        return replace(self, **known)

    def checkpoint_in(self, storage: str) -> Checkpoint:
        """What to go on from, where ``storage`` is an absolute path or a URI."""
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
        """The next attempt; None where the trial has failed for good.

        ``gpus`` are those that this attempt had, and ``alone`` says whether no other trial ran
        beside it. Lost machines and processes do not count as failures, nor does what keeps a trial
        from starting where it was to: what the trial before left in the process, a machine about to
        go. A trial that ran out of memory gets one more attempt with twice the share of a GPU,
        where it had not the whole of one; one whose machine ran out of memory may run with fewer
        beside it, until it has been tried alone.
        """
        again = replace(self, checkpoint=checkpoint)
        if cause is Cause.LOST and self.machines_lost < _MOST_MACHINES:
            return replace(again, machines_lost=self.machines_lost + 1)
        if cause in (Cause.MEMORY_HELD, Cause.SPOILED, Cause.LEAVING):
            return again  # each time one such process ends
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
    """``config`` on its way to a trial, with the attempt that it is for."""
    return {**config, ATTEMPT: asdict(attempt)}


def unpack(config: Mapping[str, Any], trial_id: str = "") -> tuple[Config, Attempt]:
    """The config and the attempt of a trial that Ray calls ``trial_id``."""
    plain = {name: value for name, value in config.items() if name != ATTEMPT}
    fields = config.get(ATTEMPT)
    return plain, Attempt(**fields) if fields else Attempt(trial_id)
