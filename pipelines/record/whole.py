"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from pipelines.record.patience import naming


def write_whole(path: Path, text: str) -> None:
    """Replace the content of ``path`` by ``text``. A reader sees either the old or the new one."""
    part = path.with_suffix(".part")
    with naming(path):
        part.write_text(text)
        part.replace(path)
