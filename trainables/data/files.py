"""What may be read: files. A pipe would be waited for, and a device may have no end."""

from __future__ import annotations

import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_file(path: Path) -> None:
    """Raises ``ValueError`` for what lies at ``path`` and is no file, ``OSError`` where nothing
    does."""
    mode = path.stat().st_mode
    for is_kind, kind in _KINDS:
        if is_kind(mode):
            raise ValueError(f"'{path}' is {kind}, not a file")
