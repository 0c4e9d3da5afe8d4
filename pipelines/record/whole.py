"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

from pipelines.record.patience import naming


def write_whole(path: Path, text: str) -> None:
    """Put ``text`` in the place of what ``path`` holds: a reader sees one of the two."""
    part = path.with_suffix(".part")
    with naming(path):
        part.write_text(text)
        part.replace(path)
