"""The notice that a machine is about to be taken away: a file on it, which every trial of the same
user there looks for after each epoch. Imports the standard library alone."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

_LASTS = 600.0  # seconds: a machine that is there still was not taken away


def is_given() -> bool:
    """Whether this machine is about to go."""
    try:
        return time.time() - _path().stat().st_mtime < _LASTS
    except OSError:
        return False


def give(reason: str) -> None:
    """Let the trials on this machine know."""
    _path().write_text(f"{reason}\n")


def take_back() -> None:
    """Of an earlier life of this machine."""
    _path().unlink(missing_ok=True)


def _path() -> Path:
    return Path(tempfile.gettempdir()) / f"rangefinder-notice-{os.getuid()}"
