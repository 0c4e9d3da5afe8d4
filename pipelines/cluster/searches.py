"""The searches that the head of a cluster knows about: each search notes where its runs lie."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

_NOTES = "rangefinder"  # a folder in the session folder of Ray, on each machine


def note_runs(folder: Path) -> None:
    """Note, on this machine, that a search of the connected cluster has its runs in ``folder``.

    The pages on the head show the runs if this machine is the head, as with `ray submit`.
    """
    from ray._private import worker

    node = worker._global_node
    if node is None:
        return
    notes = Path(node.get_session_dir_path(), _NOTES)
    with suppress(OSError):  # another user's folder: the search is worth more than its page
        notes.mkdir(exist_ok=True)
        (notes / hashlib.sha256(str(folder).encode()).hexdigest()[:16]).write_text(str(folder))


def noted_runs() -> list[Path]:
    """The folders that searches on this machine have noted since Ray was started here, the oldest
    note first."""
    temporary = os.environ.get("RAY_TMPDIR", "/tmp")
    notes = Path(temporary, "ray", "session_latest", _NOTES)
    found = []
    with suppress(OSError):
        for note in sorted(notes.iterdir(), key=lambda path: path.stat().st_mtime):
            found.append(Path(note.read_text()))
    return found
