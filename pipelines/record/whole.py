"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.record.patience import naming


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields the path of a new file, which replaces ``path`` at the end of the block. A reader sees
    either the old or the new file. A block that fails leaves the old one, and no other. Several
    processes may write the same ``path`` at once: the last one wins."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)  # on a full disk, half a file would keep its place


def write_whole(path: Path, text: str) -> None:
    """Replace the content of ``path`` by ``text``. A reader sees either the old or the new one."""
    with naming(path), replacing(path) as part:
        part.write_text(text)


def replace_file(source: Path, target: Path) -> None:
    """Copy ``source`` to ``target``, whole or not at all."""
    with replacing(target) as part:
        shutil.copyfile(source, part)
