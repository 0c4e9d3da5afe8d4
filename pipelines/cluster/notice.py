"""The notice that a machine is about to be taken away: a file on the machine. Every trial of the
same user there checks for it after each epoch. This module imports only the standard library."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

_LASTS = 600.0  # seconds: a machine that still exists then was not taken away


def is_given() -> bool:
    """Whether this machine is about to be taken away."""
    try:
        return time.time() - _path().stat().st_mtime < _LASTS
    except OSError:
        return False


def give(reason: str) -> None:
    """Give notice to the trials on this machine."""
    _path().write_text(f"{reason}\n")


def take_back() -> None:
    """Remove a notice, such as one from before this machine was restarted."""
    _path().unlink(missing_ok=True)


def _path() -> Path:
    return Path(tempfile.gettempdir()) / f"rangefinder-notice-{os.getuid()}"
