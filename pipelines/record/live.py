"""``live.json``: how a search stands while it runs, for pages that show it.

The driver writes it again and again, whole or not at all, and takes it away when the search has
ended. Where it is left, the driver was killed, or its machine was lost.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pipelines.record.files import RunFiles
from pipelines.record.header import read_json
from pipelines.record.trials import FinishedTrial, State
from pipelines.record.whole import write_whole

FORMAT = 1
LATE = 5.0  # seconds without news that are worth a word
GONE = 60.0  # seconds without news after which a driver on another machine is given up
_READS, _PAUSE = 5, 0.05  # tries to read it, seconds between two
_BY_EPOCH = ("curve", "changes")  # fields whose keys are numbers, which JSON does not have


@dataclass(frozen=True)
class Driver:
    """The process that searches. ``started`` tells it from a later one with the same number; it is
    "" where the system does not say."""

    host: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> Driver:
        """The process that asks."""
        return cls(socket.gethostname(), os.getpid(), _started(os.getpid()))

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, on this machine."""
        return self.host == socket.gethostname()

    @property
    def runs(self) -> bool:
        """Whether it is there still; to be asked only where it :attr:`is_here`."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # of another user, who may see it
            pass
        return self.started == _started(self.pid)


@dataclass(frozen=True)
class Live:
    """How a search stands."""

    driver: Driver
    at: float  # when it was written, in seconds since 1970
    every: float  # seconds until it is written again, at least
    phase: str  # "search", or "repeats" of the best configs
    total: int  # trials asked for
    finished: int
    running: int  # without those that are paused
    paused: int
    stopped: int  # by the scheduler
    diverged: int
    failed: int
    best: float | None
    best_epoch: int | None
    best_config: Mapping[str, Any]
    seconds: float  # since the search began
    seconds_left: float | None
    slots: int  # trials that may run at once
    epochs: int  # trained, those of running trials too
    epochs_per_second: float | None  # lately
    suggestion_seconds: float | None  # that the algorithm took for each of the latest suggestions
    trials: tuple[FinishedTrial, ...]  # that run, as far as they are; their state is RUNNING
    infeasible: int = 0  # break a requirement

    @property
    def age(self) -> float:
        """Seconds since the driver was last heard of."""
        return max(0.0, time.time() - self.at)

    @property
    def is_late(self) -> bool:
        """Whether news have been due for a while."""
        return self.age > LATE + 2 * self.every

    @property
    def is_over(self) -> bool:
        """Whether the driver is gone: nothing more will come."""
        if self.driver.is_here:
            return self.is_late and not self.driver.runs
        return self.age > GONE + 2 * self.every


def write_live(files: RunFiles, live: Live) -> None:
    """Write it whole or not at all."""
    # Not dataclasses.asdict(), which copies all of it: half of what a search pays for its page.
    content = {"format": FORMAT, **vars(live), "driver": vars(live.driver)}
    content["trials"] = [vars(trial) for trial in live.trials]
    write_whole(files.live, json.dumps(content, allow_nan=False, separators=(",", ":")))


def remove_live(files: RunFiles) -> None:
    """No search runs any more."""
    files.live.unlink(missing_ok=True)


def read_live(files: RunFiles) -> Live | None:
    """None where no search runs, and where what is written is not to be understood."""
    try:
        content = _content(files.live)
        if content.pop("format") != FORMAT:
            return None
        content["driver"] = Driver(**content["driver"])
        content["trials"] = tuple(map(_trial, content["trials"]))
        return Live(**content)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _content(path: Path) -> Any:
    """A shared folder may fail, or give a part, when another machine puts a new file in the place
    of the one that is read. Raises ``ValueError`` where that is so each time."""
    for _ in range(_READS - 1):
        try:
            return read_json(path)
        except ValueError:
            if not path.exists():
                raise
            time.sleep(_PAUSE)
    return read_json(path)


def _trial(content: dict[str, Any]) -> FinishedTrial:
    for name in _BY_EPOCH:
        content[name] = {int(epoch): value for epoch, value in content[name].items()}
    known = {field.name for field in fields(FinishedTrial)}
    values = {name: value for name, value in content.items() if name in known}
    return FinishedTrial(**{**values, "state": State(content["state"])})


def _started(pid: int) -> str:
    """In ticks since the machine started, as Linux counts; "" for one that only waits to be
    forgotten."""
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else numbers[18]
