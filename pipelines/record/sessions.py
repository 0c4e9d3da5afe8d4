"""When a driver worked on a run, and how that ended: a search may have several, one after another.

The first line of a session is written when it begins, the second when it ends. A session without an
end still runs, or its driver was killed; who goes on writes that end in its place.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pipelines.record.files import RunFiles
from pipelines.record.lines import Lines, read_lines

KILLED = "killed"
FAILED = "an error"


@dataclass(frozen=True)
class Session:
    """One driver's work on a run, from begin to end, in seconds since 1970."""

    begun: float
    part: str  # "search", or "repeats"
    host: str
    process: int
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings that are other than before, by group and field."""
    ended: float | None = None
    by: str | None = None
    """Why it ended: "" where all that was asked for was done, KILLED, or the reasons of a
    :class:`pipelines.study.result.StudyResult`; None where the record does not say."""

    @property
    def seconds(self) -> float:
        return 0.0 if self.ended is None else max(0.0, self.ended - self.begun)


def read_sessions(files: RunFiles) -> list[Session]:
    """In their order; none where an older version wrote the record.

    Raises ``ValueError`` for a line that is none.
    """
    sessions: list[Session] = []
    for number, entry in enumerate(read_lines(files.sessions), 1):
        try:
            if "begun" in entry:
                sessions.append(_begun(entry))
            else:
                last = sessions.pop()
                end = {"ended": float(entry["ended"]), "by": str(entry["by"])}
                sessions.append(Session(**{**vars(last), **end}))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(f"{files.sessions}, line {number} is no session: {reason}") from None
    return sessions


@dataclass
class Working:
    """A session that goes on; ``by`` will be the reason of its end."""

    by: str = FAILED


@contextmanager
def working(
    files: RunFiles, part: str, changes: Mapping[str, Mapping[str, Any]]
) -> Iterator[Working]:
    """Say that this process works on the run, and in the end why it does no longer: FAILED, unless
    somebody says it."""
    here = {"host": socket.gethostname(), "process": os.getpid()}
    _append(files, {"begun": _now(), "part": part, **here, "changes": changes})
    session = Working()
    try:
        yield session
    finally:
        with suppress(OSError):  # without an end it counts as killed: a disk may be full
            _append(files, {"ended": _now(), "by": session.by})


def note_killed(files: RunFiles, at: float) -> None:
    """The driver of the last session was killed, and was last heard of at this time."""
    _append(files, {"ended": at, "by": KILLED})


def _begun(entry: Mapping[str, Any]) -> Session:
    return Session(
        begun=float(entry["begun"]),
        part=str(entry["part"]),
        host=str(entry["host"]),
        process=int(entry["process"]),
        changes={str(group): dict(fields) for group, fields in entry["changes"].items()},
    )


def _append(files: RunFiles, entry: Mapping[str, Any]) -> None:
    lines = Lines(files.sessions)
    lines.append(entry)
    lines.close()


def _now() -> float:
    return round(time.time(), 3)
