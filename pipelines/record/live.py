"""``live.json``: the state of a running search, for pages that show it.

The driver writes the file again and again, whole or not at all, and removes it when the search has
ended. If it is left behind, the driver was killed, or its machine was lost.
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
LATE = 5.0  # seconds without news before a page says so
GONE = 60.0  # seconds without news before a driver on another machine counts as gone
_READS, _PAUSE = 5, 0.05  # tries to read the file, and seconds between two tries
_BY_EPOCH = ("curve", "changes")  # fields whose keys are numbers, which JSON does not have


@dataclass(frozen=True)
class Driver:
    """The process that searches. ``started`` distinguishes it from a later process with the same
    number; it is "" if the system does not give it."""

    host: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> Driver:
        """The current process."""
        return cls(socket.gethostname(), os.getpid(), _started(os.getpid()))

    @property
    def is_here(self) -> bool:
        """Whether the driver is, or was, on this machine."""
        return self.host == socket.gethostname()

    @property
    def runs(self) -> bool:
        """Whether the driver still runs. Only valid if it :attr:`is_here`."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # another user's process: it exists
            pass
        return self.started == _started(self.pid)


@dataclass(frozen=True)
class Live:
    """The state of a search."""

    driver: Driver
    at: float  # when this was written, in seconds since 1970
    every: float  # seconds until the next write, at least
    phase: str  # "search", or "repeats" of the best configs
    total: int  # trials asked for
    finished: int
    running: int  # without the paused trials
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
    epochs: int  # trained, including those of running trials
    epochs_per_second: float | None  # lately
    suggestion_seconds: float | None  # mean time of the latest suggestions
    trials: tuple[FinishedTrial, ...]  # the running ones, with what they have reached
    infeasible: int = 0  # trials that break a requirement

    @property
    def age(self) -> float:
        """Seconds since the last sign of life of the driver."""
        return max(0.0, time.time() - self.at)

    @property
    def is_late(self) -> bool:
        """Whether news has been overdue for a while."""
        return self.age > LATE + 2 * self.every

    @property
    def is_over(self) -> bool:
        """Whether the driver is gone: nothing more will come."""
        if self.driver.is_here:
            return self.is_late and not self.driver.runs
        return self.age > GONE + 2 * self.every


def write_live(files: RunFiles, live: Live) -> None:
    """Write ``live.json``, whole or not at all."""
    # Not dataclasses.asdict(): it copies everything, which would double the cost of the page.
    content = {"format": FORMAT, **vars(live), "driver": vars(live.driver)}
    content["trials"] = [vars(trial) for trial in live.trials]
    write_whole(files.live, json.dumps(content, allow_nan=False, separators=(",", ":")))


def remove_live(files: RunFiles) -> None:
    """Remove ``live.json``: no search runs any more."""
    files.live.unlink(missing_ok=True)


def read_live(files: RunFiles) -> Live | None:
    """The state of the search; None if no search runs, or if the file cannot be understood."""
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
    """The content of the file. When another machine replaces a file in a shared folder, a read may
    fail or return a part, so it is repeated. Raises ``ValueError`` if every read fails."""
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
    """When the process started, in Linux's ticks since the machine started. "" for a zombie, or if
    the system does not say."""
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else numbers[18]
