"""What a training leaves in its process: memory, open files, running threads and processes."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from trainables.device import gpu
from trainables.device.byte_sizes import format_bytes

MOST_GROWTH = 2**30  # bytes that a process may grow by after its first training began
_PART = 1 / 4  # of the memory for one training, by which its process may grow
_GLANCE = 0.05  # seconds for which new threads and processes are watched
_IDLE = 0.02  # of a core: a thread that only waits uses no more
_STATM = Path("/proc/self/statm")  # in pages
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


class Memory:
    """How much the memory of this process grows after this object is made."""

    def __init__(self, share: float) -> None:
        """``share`` is the part of the machine that one training at a time may use."""
        pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._most = min(MOST_GROWTH, _PART * share * pages)
        self._before = _own_memory()
        self._libraries_loaded = False  # by a training on a GPU

    def growth(self) -> str:
        """How much it has grown, in words, if that is too much even after cleaning up; else ""."""
        if gpu.is_used() and not self._libraries_loaded:
            # CUDA's libraries take half a gigabyte when a training first uses them, which is after
            # CUDA itself has started. It is never freed, so it is not counted.
            self._before, self._libraries_loaded = max(self._before, _own_memory()), True
        if _peak() <= self._before + self._most:  # the quick check
            return ""
        if (grown := _own_memory() - self._before) > self._most:
            gc.collect()
            _trim()
            grown = _own_memory() - self._before
        return f"its memory had grown by {format_bytes(grown)}" if grown > self._most else ""


class Workers:
    """Threads and processes that this process starts after this object is made.

    Some only wait for work, such as the threads of progress bars: these may stay.
    """

    def __init__(self) -> None:
        self._known = set(threading.enumerate())
        self._idle: dict[Path, tuple[float, float]] = {}  # time and work when first seen

    def at_work(self) -> str:
        """The first thread or process that still works, in words; "" if there is none."""
        if threading.active_count() <= len(self._known) and not _has_children():
            return ""
        places = dict(self._places())
        new = [place for place in places if place not in self._idle]
        before = {place: (time.monotonic(), _seconds_at_work(place)) for place in new}
        if new:
            time.sleep(_GLANCE)
        self._idle = {p: seen for p, seen in {**self._idle, **before}.items() if p in places}
        for place, (since, worked) in self._idle.items():
            share = (_seconds_at_work(place) - worked) / (time.monotonic() - since)
            if share > _IDLE:
                return f"it left {places[place]} running"
        return ""

    def _places(self) -> Iterator[tuple[Path, str]]:
        for thread in threading.enumerate():
            if thread not in self._known:
                yield Path(f"/proc/self/task/{thread.native_id}"), "a thread"
        for place in Path("/proc/self/task").glob("*/children"):
            with suppress(OSError):
                for process in place.read_text().split():
                    yield Path("/proc", process), "a process"


def open_files() -> str:
    """How many files are open, in words, if that is more than half of the limit; else ""."""
    taken = os.open(os.devnull, os.O_RDONLY)  # the lowest free number
    os.close(taken)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return f"it left {taken} files open, with a limit of {most}" if 2 * taken > most > 0 else ""


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (AttributeError, ChildProcessError):
        return False
    return True


def _seconds_at_work(place: Path) -> float:
    """How long a thread or process has run or waited for a core; 0 if it has ended or if the
    kernel does not say."""
    try:
        worked, waited, *_ = (place / "schedstat").read_text().split()
    except (OSError, ValueError):
        return 0.0
    return (int(worked) + int(waited)) / 1e9


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT


def _own_memory() -> int:
    """Bytes that belong to this process alone. Data that all trials share are not counted."""
    try:
        _, resident, shared, *_ = map(int, _STATM.read_bytes().split())
    except OSError:
        return _peak()
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def _trim() -> None:
    """Gives freed memory back to the machine, because glibc may keep it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
