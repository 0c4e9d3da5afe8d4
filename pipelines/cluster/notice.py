"""The notice that a machine is about to be taken away: a file on it, which every trial there looks
for after each epoch. Imports the standard library alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

_FILE = "rangefinder-notice"


def is_given() -> bool:
    """Whether this machine is about to go."""
    return _path().exists()


def give(reason: str) -> None:
    """Let the trials on this machine know."""
    _path().write_text(f"{reason}\n")


def take_back() -> None:
    """Of an earlier life of this machine."""
    _path().unlink(missing_ok=True)


def _path() -> Path:
    return Path(tempfile.gettempdir()) / _FILE
