"""When drivers worked on a run, and why they stopped. A search may have several sessions in turn.

The first line of a session is written when it begins, the second when it ends. A session without an
end still runs, or its driver was killed; in that case, the next driver writes the end. When the
results of all sessions are written too, the end is written once more, and says so.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.record.files import RunFiles
from pipelines.record.lines import REPAIR, Lines, read_lines
from pipelines.record.patience import StorageError

KILLED = "killed"
FAILED = "an error"
STORAGE = "storage"  # nothing could be written any more


@dataclass(frozen=True)
class Session:
    """One driver's work on a run. Its beginning and end are in seconds since 1970."""

    begun: float
    part: str  # "search", or "repeats"
    host: str
    process: int
    address: str | None = None
    """The Ray cluster that it joined, as the user gave it; None if none was given."""
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings that differ from the session before, by group and field."""
    ended: float | None = None
    by: str | None = None
    """Why the session ended: "" if everything was done, KILLED, or a reason of a
    :class:`pipelines.study.result.StudyResult`; None if the record does not say."""
    measured: float | None = None
    """How many seconds the driver worked. None if an older version wrote the record."""
    has_results: bool = False
    """Whether the results were written after the session: the winner, the report and so on."""

    @property
    def seconds(self) -> float:
        """From the beginning to the end, by a clock that may be set, and runs while the machine
        sleeps."""
        return 0.0 if self.ended is None else max(0.0, self.ended - self.begun)

    @property
    def is_ours(self) -> bool:
        """Whether it is, or was, a session of this process."""
        return (self.host, self.process) == (socket.gethostname(), os.getpid())

    @property
    def worked(self) -> float:
        """The seconds that count for the time budget."""
        return self.seconds if self.measured is None else self.measured


def read_sessions(files: RunFiles) -> list[Session]:
    """The sessions in their order; none if an older version wrote the record.

    Raises ``ValueError`` for a line that is not a session.
    """
    sessions: list[Session] = []
    for number, entry in enumerate(read_lines(files.sessions), 1):
        try:
            if "begun" in entry:
                sessions.append(_begun(entry))
            else:
                last = sessions.pop()
                sessions.append(replace(last, **_end(entry)))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            reason = f"{type(error).__name__}: {error}"
            place = f"{files.sessions}, line {number}"
            raise ValueError(f"{place} is not a session: {reason}{REPAIR}") from None
    return sessions


def address_here(sessions: Sequence[Session]) -> str | None:
    """The address of the Ray cluster that the last driver was given; None if it was given none, or
    worked on another machine."""
    here = [s.address for s in sessions[-1:] if s.host == socket.gethostname()]
    return here[0] if here else None


@dataclass
class Working:
    """A session that is running; ``by`` will be recorded as the reason for its end."""

    by: str = FAILED


@contextmanager
def working(
    files: RunFiles,
    part: str,
    changes: Mapping[str, Mapping[str, Any]],
    address: str | None = None,
) -> Iterator[Working]:
    """Record that this process works on the run, with the Ray cluster at ``address``, and, at the
    end, why it stopped. The reason is STORAGE if a ``StorageError`` ends it, else FAILED
    unless the caller sets another one."""
    here = {"host": socket.gethostname(), "process": os.getpid(), "address": address}
    started = time.monotonic()
    _append(files, {"begun": _now(), "part": part, **here, "changes": changes})
    session = Working()
    try:
        yield session
    except StorageError:
        session.by = STORAGE
        raise
    finally:
        with suppress(OSError):  # the disk may be full; a session without an end counts as killed
            seconds = round(time.monotonic() - started, 3)
            _append(files, {"ended": _now(), "by": session.by, "seconds": seconds})


def note_killed(files: RunFiles, session: Session) -> None:
    """Record the end of the last session, whose driver was killed."""
    _append(files, {"ended": session.ended, "by": KILLED, "seconds": session.worked})


def note_results(files: RunFiles) -> None:
    """Record that the results of all sessions are written."""
    for last in read_sessions(files)[-1:]:
        if last.ended is not None:
            end = {"ended": last.ended, "by": last.by, "seconds": last.worked}
            _append(files, {**end, "results": True})


def _begun(entry: Mapping[str, Any]) -> Session:
    return Session(
        begun=float(entry["begun"]),
        part=str(entry["part"]),
        host=str(entry["host"]),
        process=int(entry["process"]),
        address=entry.get("address"),
        changes={str(group): dict(fields) for group, fields in entry["changes"].items()},
    )


def _end(entry: Mapping[str, Any]) -> dict[str, Any]:
    seconds = entry.get("seconds")
    return {
        "ended": float(entry["ended"]),
        "by": str(entry["by"]),
        "measured": None if seconds is None else float(seconds),
        "has_results": bool(entry.get("results", False)),
    }


def _append(files: RunFiles, entry: Mapping[str, Any]) -> None:
    lines = Lines(files.sessions)
    lines.append(entry)
    lines.close()


def _now() -> float:
    return round(time.time(), 3)
