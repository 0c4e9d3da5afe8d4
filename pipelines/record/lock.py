"""One driver at a time: a lock on a run, which is released when its process ends."""

from __future__ import annotations

import errno
import functools
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.record.files import RunFiles
from pipelines.record.live import GONE, Driver, read_live
from pipelines.record.sessions import read_sessions

_GLANCING = threading.Lock()  # in this process, all look through the same lock
_GLANCE = 1.0  # seconds to wait for the lock: a page that checks it holds it for an instant
_MARGIN = 1.0  # seconds, added to twice the driver's interval
_LONGEST = 10.0  # seconds to wait for a sign of a driver, at most
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # NFS without a lock service, FUSE


@contextmanager
def holding(files: RunFiles) -> Iterator[None]:
    """Hold the lock of the run; this process may hold it already. The system releases the lock when
    the process ends, in whatever way. In a shared folder, the lock is valid on all machines.

    Raises ``ValueError`` if another process holds the run, or if the run cannot be written.
    """
    lock = _lock(files)
    try:
        lock.acquire(timeout=_GLANCE)
    except Timeout:
        raise ValueError(f"{files.folder} is in use by another process{_whose(files)}") from None
    except OSError as error:
        if error.errno in _READ_ONLY:
            raise ValueError(f"{files.folder} cannot be written: {error.strerror}") from None
        if error.errno not in _NO_LOCKS:
            raise
        _warn(files.lock, str(error.strerror))
    try:
        if _is_heard(files):
            raise ValueError(f"{files.folder} is in use by another process{_whose(files)}")
        yield
    finally:
        lock.release()


def is_held(files: RunFiles) -> bool:
    """Whether a process is working on the run now."""
    if not files.lock.is_file():
        return False
    lock = _lock(files)
    with _GLANCING:
        if lock.is_locked:  # by this process
            return True
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        except OSError:  # a read-only folder, or one without locks
            live = read_live(files)
            return live is not None and not live.is_over
        lock.release()
        return False


def _is_heard(files: RunFiles) -> bool:
    """Whether a driver updates ``live.json``, although nothing holds the lock: in some shared
    folders (FUSE, NFS without locks), a lock is only valid on one machine. The clocks of machines
    differ, so this waits for the next update."""
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
    # No fallback to a file as the lock: a killed driver would leave it behind.
    return FileLock(
        files.lock.absolute(), is_singleton=True, thread_local=False, fallback_to_soft=False
    )


@functools.cache  # warn once per run
def _warn(path: Path, reason: str) -> None:
    print(
        f"warning   {path}: {reason}: a second driver is refused only while live.json is updated",
        file=sys.stderr,
        flush=True,
    )


def _whose(files: RunFiles) -> str:
    sessions = read_sessions(files)
    return f": {sessions[-1].process} on {sessions[-1].host}" if sessions else ""
