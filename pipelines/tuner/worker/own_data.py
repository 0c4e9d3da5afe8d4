"""The data of a study for each trial: its own, to change as it likes, at no cost.

The trials of a node share one copy of the data. Ray maps this copy into every process with write
access, and PyTorch ignores that NumPy marks it as read-only. So in one trial,
``torch.from_numpy(data.x_train).mul_(0.5)`` would change the data of all trials. Therefore each
trial gets data that it may change. Small data are copied; large data are a private mapping
(``MAP_PRIVATE`` of mmap(2)) of one file on the node. The pages that a trial changes are copied for
it and vanish with it; all other pages stay shared.
"""

from __future__ import annotations

import fcntl
import io
import itertools
import math
import mmap
import os
import pickle
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

SMALL = 1 << 22  # bytes: up to this size data are copied, in less than a millisecond
_ALIGNED = 64  # bytes: the alignment that suits vector instructions


class OwnData:
    """Data for one trial after another in this process. Each study has its own ``key``."""

    def __init__(self, data: Any, key: str) -> None:
        form = io.BytesIO()
        self._arrays: list[np.ndarray] = []
        _WithoutArrays(form, self._arrays).dump(data)
        self._form = form.getvalue()
        self._kinds = [(array.dtype, array.shape) for array in self._arrays]
        self._starts = _starts(self._arrays)
        self._file: tuple[Path, int] | None = None  # and the descriptor that holds the lock
        if sum(array.nbytes for array in self._arrays) > SMALL:
            with suppress(OSError):  # the disk may be full: copies are used then
                self._file = _share(key, self._arrays)
        if self._file is not None:
            self._arrays = []

    def fresh(self) -> Any:
        """The data as they were at first, whatever earlier trials changed."""
        if self._file is None:
            return _WithArrays(self._form, [array.copy() for array in self._arrays]).load()
        flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0)
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        # A new descriptor: a mapping keeps its descriptor open, and would keep the lock with it.
        with self._file[0].open("rb") as file:
            whole = mmap.mmap(file.fileno(), 0, flags=flags, prot=protection)
        arrays = [
            np.frombuffer(whole, dtype, math.prod(shape), start).reshape(shape)
            for start, (dtype, shape) in zip(self._starts, self._kinds, strict=True)
        ]
        return _WithArrays(self._form, arrays).load()

    def close(self) -> None:
        """Release the file; the last process on the node to do so removes it. Data that were given
        out stay valid."""
        if self._file is not None:
            os.close(self._file[1])
            self._file = None
            with suppress(OSError), FileLock(_folder() / "lock"):
                _sweep(_folder())


class _WithoutArrays(pickle.Pickler):
    """Pickles everything except the arrays, which it collects in ``arrays``."""

    def __init__(self, file: io.BytesIO, arrays: list[np.ndarray]) -> None:
        super().__init__(file)
        self._arrays = arrays

    def persistent_id(self, value: object) -> int | None:
        if not isinstance(value, np.ndarray) or value.dtype.hasobject or not value.size:
            return None
        self._arrays.append(np.ascontiguousarray(value))
        return len(self._arrays) - 1


class _WithArrays(pickle.Unpickler):
    """Unpickles, with the given arrays in the places of the original ones."""

    def __init__(self, form: bytes, arrays: Sequence[np.ndarray]) -> None:
        super().__init__(io.BytesIO(form))
        self._arrays = arrays

    def persistent_load(self, place: int) -> np.ndarray:
        return self._arrays[place]


def _starts(arrays: Sequence[np.ndarray]) -> list[int]:
    """The offset of each array in the file."""
    sizes = [-(-array.nbytes // _ALIGNED) * _ALIGNED for array in arrays]
    return list(itertools.accumulate(sizes[:-1], initial=0))


def _share(key: str, arrays: Sequence[np.ndarray]) -> tuple[Path, int]:
    """The file with the arrays, which the first process on the node writes, and its descriptor. The
    file is locked while the descriptor is open; files that no process has locked are removed."""
    folder = _folder()
    with FileLock(folder / "lock"):
        _sweep(folder)
        path = folder / key
        if not path.exists():
            try:
                _write(path, arrays)
            except OSError:
                path.unlink(missing_ok=True)
                raise
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        fcntl.flock(file, fcntl.LOCK_SH)
    return path, file


def _write(path: Path, arrays: Sequence[np.ndarray]) -> None:
    with path.open("xb") as file:
        for start, array in zip(_starts(arrays), arrays, strict=True):
            file.seek(start)
            file.write(array.data)


def _sweep(folder: Path) -> None:
    """Remove the files that no process uses, such as those of killed processes."""
    for path in folder.iterdir():
        if path.name == "lock":
            continue
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        except BlockingIOError:
            pass  # in use
        finally:
            os.close(file)


def _folder() -> Path:
    """A folder for this user alone. Raises ``OSError`` if something else is in its place, or if
    other users own it or can read it."""
    folder = Path(tempfile.gettempdir(), f"rangefinder-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} is not this user's own")
    return folder
