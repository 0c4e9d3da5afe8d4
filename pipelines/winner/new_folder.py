"""A folder that is written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.study.folders import check_writable


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yields the path of a new folder, which the block makes when it has something to write. Its
    files are in ``folder`` after the block. A block that fails leaves no file. If something else is
    in ``folder`` by then, the files stay where they are, and the error says where.

    Raises ``ValueError``, before the block too, if ``folder`` is neither new nor empty, or cannot
    be written.
    """
    try:
        _check_free(folder)
        check_writable(folder)
        # A mount point cannot be replaced, so a folder that exists is filled.
        fill, name = folder.is_dir(), f".{secrets.token_hex(4)}.part"
        part = folder / name if fill else folder.with_name(f".{folder.name}{name}")
        part.mkdir(parents=True)
        part.rmdir()  # it can be made; a process that is killed before it writes leaves nothing
    except OSError as error:
        raise ValueError(f"'{folder}' cannot be written: {error.strerror}") from None
    try:
        yield part
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    try:
        if fill:
            _fill(folder, part)
        else:
            part.rename(folder)  # replaces nothing but an empty folder
    except OSError as error:
        raise ValueError(
            f"'{folder}' cannot be written: {error.strerror}; the files are in '{part}'"
        ) from None


def _check_free(folder: Path) -> None:
    if folder.is_symlink() and not folder.exists():
        raise ValueError(f"'{folder}' is a link to {folder.readlink()}, which does not exist")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"'{folder}' is a file: give a new or an empty folder")
    if folder.exists() and (name := next((path.name for path in folder.iterdir()), "")):
        raise ValueError(f"'{folder}' is not empty, it has {name}: give a new or an empty folder")


def _fill(folder: Path, part: Path) -> None:
    if any(path != part for path in folder.iterdir()):
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
    for file in part.iterdir():
        file.rename(folder / file.name)
    part.rmdir()
