"""The folders for runs and for results of tests."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST = 128  # characters of a name: file systems take 255 bytes, and a run adds words of its own

_LEAST = 2**20  # bytes that a folder for results must have room for


def new_run_folder(runs_dir: Path, name: str | None, label: str) -> Path:
    """The folder for a new run: ``name``, or ``label`` and the time.

    Raises ``ValueError`` for a name that is taken or not allowed for a folder, and for a folder
    that cannot be written.
    """
    parent = runs_dir.expanduser().absolute()
    if name is None:
        # The label may hold the name of a user's file: any characters, any length.
        label = re.sub(r"[^A-Za-z0-9._-]+", "-", label).lstrip("._-")[: _LONGEST // 2]
        stem = f"{label}-{datetime.now():%Y%m%d-%H%M%S}".lstrip("._-")
        names = (stem if n == 1 else f"{stem}-{n}" for n in itertools.count(1))
        name = next(name for name in names if not (parent / name).exists())
    folder = parent / check_run_name(name)
    if folder.exists():
        raise ValueError(f"`name` '{name}': a run of that name exists in {runs_dir}")
    check_writable(folder)
    return folder


def new_output_folder(output: Path | None, parent: str, label: str) -> Path:
    """The folder for a test: ``output``, or a folder in ``parent`` named by ``label`` and the time.

    Raises ``ValueError`` for a folder that exists or cannot be written.
    """
    if output is None:
        return new_run_folder(Path(parent), None, label)
    folder = output.expanduser().absolute()
    if folder.exists():
        raise ValueError(f"`output` {output} exists: give a folder that does not")
    check_writable(folder)
    return folder


def check_run_name(name: str) -> str:
    """Raises ``ValueError`` for a name that not every file system allows for a folder."""
    if not _NAME.fullmatch(name):
        rule = "use a-z, A-Z, 0-9, '.', '_' and '-', and begin with a letter or a digit"
        raise ValueError(f"'{name}': {rule}")
    if len(name) > _LONGEST:
        raise ValueError(f"'{name}' has {len(name)} characters: use at most {_LONGEST}")
    return name


def check_writable(path: Path) -> None:
    """Raises ``ValueError`` if ``path``, which may not exist yet, could not be written."""
    existing = next(p for p in (path, *path.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(bytes(_LEAST))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        where = "" if existing == path else f"{existing}: "
        raise ValueError(f"'{path}' cannot be written: {where}{error.strerror}") from None


def resolve_storage(storage: str) -> str:
    """An absolute path, or the URI as it is. Raises ``ValueError`` if it cannot be written."""
    if "://" in storage:
        from pipelines.cluster.storage import try_to_write

        try_to_write(storage)
        return storage
    path = Path(storage).expanduser().absolute()
    check_writable(path)
    return str(path)


def check_no_run_in(storage: str, name: str) -> None:
    """Raises ``ValueError`` if a resolved storage has a run called ``name``."""
    from pyarrow.fs import FileSystem, FileType

    filesystem, path = FileSystem.from_uri(storage)
    if filesystem.get_file_info(f"{path}/{name}").type != FileType.NotFound:
        raise _taken(storage, name)


@contextmanager
def claiming(storage: str, folder: Path) -> Iterator[None]:
    """Take the name of the new run ``folder`` in a resolved storage, so that a search that starts
    at the same time, with another folder of runs, cannot take it too. An error in the block gives
    it back.

    Only the file system of a machine can refuse the second of two folders. In any other storage
    another search may take the name between the look and the making, which is milliseconds.

    Raises ``ValueError`` if the name is taken.
    """
    from pyarrow.fs import FileSystem, LocalFileSystem

    filesystem, root = FileSystem.from_uri(storage)
    place = f"{root}/{folder.name}"
    if isinstance(filesystem, LocalFileSystem):
        if Path(place).resolve() == folder.resolve():  # the run's own folder takes the name
            yield
            return
        Path(root).mkdir(parents=True, exist_ok=True)
        try:
            Path(place).mkdir()
        except FileExistsError:
            raise _taken(storage, folder.name) from None
    else:
        check_no_run_in(storage, folder.name)
        filesystem.create_dir(place)
    try:
        yield
    except BaseException:
        filesystem.delete_dir(place)
        raise


def _taken(storage: str, name: str) -> ValueError:
    return ValueError(f"`storage` '{storage}' has a run '{name}' in it: choose another `name`")
