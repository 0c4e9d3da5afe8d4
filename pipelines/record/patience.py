"""A disk that is full, or a shared folder that is away: for a moment, or for good."""

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
    """What was to be written could not be."""


class Minute:
    """For which a disk is waited: one for all that this process has to write."""

    def __init__(self) -> None:
        self._since = self._last = -math.inf

    def refused(self) -> bool:
        """A write was. Whether the minute is over: it began with the first that was, unless one
        has been done since, or none was tried for a minute."""
        now = time.monotonic()
        if now - self._last > PATIENCE:
            self._since = now
        self._last = now
        return now - self._since > PATIENCE

    def done(self) -> None:
        """A write was."""
        self._last = -math.inf


_minute = Minute()


def _say(what: str) -> None:
    print(f"waiting   {what}", file=sys.stderr, flush=True)


def patient(action: Callable[P, R], say: Callable[[str], None] = _say) -> Callable[P, R]:
    """``action``, which is done again while it raises ``OSError``, for a minute at most, together
    with others that wait at that time or come next; ``say`` gets the reason once. Raises
    ``StorageError`` then. An action that has failed must leave nothing half-done."""

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
    """Inside, an ``OSError`` that names no file names ``path``: one of a write does not. One
    without a number, as of S3, stays as it is: with a name it would show that alone."""
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
    """Why a disk lies behind ``error``, through whatever it was raised again, or ""."""
    while error is not None:
        if isinstance(error, StorageError):
            return str(error)
        if isinstance(error, OSError) and error.errno in _OF_A_DISK:
            return in_words(error)
        error = error.__cause__ or error.__context__
    return ""
