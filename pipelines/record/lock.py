"""One driver at a time: a lock on a run that dies with the process that holds it."""

from __future__ import annotations

import errno
import functools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.record.files import RunFiles
from pipelines.record.live import GONE, Driver, read_live
from pipelines.record.sessions import read_sessions

_GLANCE = 1.0  # seconds: to see whether it is held, a page holds it for an instant
_MARGIN = 1.0  # seconds, beside those in which a driver writes twice
_LONGEST = 10.0  # seconds that one listens for a driver
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # NFS without a lock service, FUSE


@contextmanager
def holding(files: RunFiles) -> Iterator[None]:
    """Hold the run; this process may hold it already. The system gives the lock back when the
    process ends, however it does; in a folder that machines share it holds for all of them.

    Raises ``ValueError`` where another process holds it, and where it may not be written.
    """
    lock = _lock(files)
    try:
        lock.acquire(timeout=_GLANCE)
    except Timeout:
        raise ValueError(f"{files.folder} is in the hands of another process{_whose(files)}") from (
            None
        )
    except PermissionError as error:
        raise ValueError(f"{files.folder} cannot be written: {error.strerror}") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _warn(files.lock, str(error.strerror))
    try:
        if _is_heard(files):
            raise ValueError(f"{files.folder} is in the hands of another process{_whose(files)}")
        yield
    finally:
        lock.release()


def is_held(files: RunFiles) -> bool:
    """Whether a process works on the run now."""
    if not files.lock.is_file():
        return False
    lock = _lock(files)
    if lock.is_locked:  # by this process
        return True
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError:  # a folder that only may be read, or that has no locks
        live = read_live(files)
        return live is not None and not live.is_over
    lock.release()
    return False


def _is_heard(files: RunFiles) -> bool:
    """Whether a driver writes how its search stands, though nothing holds the lock: in some shared
    folders (FUSE, NFS without locks) a lock holds on one machine alone. Clocks of machines differ,
    so one listens for its next word."""
    before = read_live(files)
    if before is None or before.driver == Driver.this():
        return False
    if before.driver.is_here:
        return before.driver.runs
    if before.age > GONE + 2 * before.every:
        return False
    until = time.monotonic() + min(2 * before.every + _MARGIN, _LONGEST)
    while time.monotonic() < until:
        time.sleep(0.05)
        now = read_live(files)
        if now is not None and now.at != before.at:
            return True
    return False


def _lock(files: RunFiles) -> FileLock:
    # No file in the place of a lock: a driver that is killed would leave it.
    return FileLock(
        files.lock.absolute(), is_singleton=True, thread_local=False, fallback_to_soft=False
    )


@functools.cache  # once for a run
def _warn(path: Path, reason: str) -> None:
    print(
        f"warning   {path}: {reason}: a second driver is kept away only while this one is heard",
        file=sys.stderr,
        flush=True,
    )


def _whose(files: RunFiles) -> str:
    sessions = read_sessions(files)
    return f": {sessions[-1].process} on {sessions[-1].host}" if sessions else ""
