"""Waiting for a disk that is full, or a shared folder that is away, for a limited time."""

from __future__ import annotations

import errno
import functools
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

PATIENCE = 60.0  # seconds
_PAUSE = 0.5
_OF_A_DISK = (
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, errno.ENOTCONN
)  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")


class StorageError(RuntimeError):
    """Something could not be written, even after waiting."""


class Minute:
    """The minute for which writes wait for a disk, shared by all writes of this process."""

    def __init__(self) -> None:
        self._since = self._last = -math.inf

    def refused(self) -> bool:
        """Note a write that failed. Returns whether the minute is over. The minute begins with the
        first failed write; it begins anew after a write has succeeded, or after a minute without
        any failed write."""
        now = time.monotonic()
        if now - self._last > PATIENCE:
            self._since = now
        self._last = now
        return now - self._since > PATIENCE

    def done(self) -> None:
        """Note a write that succeeded."""
        self._last = -math.inf


_minute = Minute()


def _say(what: str) -> None:
    print(f"waiting   {what}", file=sys.stderr, flush=True)


def patient(action: Callable[P, R], say: Callable[[str], None] = _say) -> Callable[P, R]:
    """``action``, repeated while it raises ``OSError``, for at most a minute; then this raises
    ``StorageError``. All actions of this process share that minute. ``say`` gets the reason once.
    An action that fails must leave nothing half-done."""

    @functools.wraps(action)
    def again(*arguments: P.args, **named: P.kwargs) -> R:
        give_up = time.monotonic() + PATIENCE
        said = False
        while True:
            try:
                result = action(*arguments, **named)
            except OSError as error:
                if _minute.refused() or time.monotonic() > give_up:
                    raise StorageError(in_words(error)) from error
                if not said:
                    say(in_words(error))
                said = True
                time.sleep(_PAUSE)
            else:
                _minute.done()
                return result

    return again


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Inside the block, an ``OSError`` without a file name, such as that of a write, gets the name
    ``path``. An error without a number, such as that of S3, stays as it is: with a name, its text
    would be lost."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = error.filename or str(path)
        raise


def in_words(error: OSError) -> str:
    """What cannot be written, and why."""
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def storage_reason(error: BaseException | None) -> str:
    """The reason if a storage problem caused ``error``, directly or through other exceptions;
    otherwise ""."""
    while error is not None:
        if isinstance(error, StorageError):
            return str(error)
        if isinstance(error, OSError) and error.errno in _OF_A_DISK:
            return in_words(error)
        error = error.__cause__ or error.__context__
    return ""
