"""What a training leaves in its process: memory, open files, threads and processes at work."""

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

MOST_GROWTH = 2**30  # bytes of a process, from its first training on
_PART = 1 / 4  # of the memory for a training that its process may grow by
_GLANCE = 0.05  # seconds in which who is at work shows
_IDLE = 0.02  # of a core: what waits for something takes no more
_STATM = Path("/proc/self/statm")  # in pages
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


class Memory:
    """The memory of this process against what it is when this is made."""

    def __init__(self, share: float) -> None:
        """``share`` of the machine is for one training at a time."""
        pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._most = min(MOST_GROWTH, _PART * share * pages)
        self._before = _own_memory()
        self._on_gpu = gpu.is_used()

    def growth(self) -> str:
        """By how much it has grown, where that is too much, and where cleaning up does not help."""
        if gpu.is_used() and not self._on_gpu:
            # What CUDA's libraries take, half a gigabyte, stays taken: it counts as before.
            self._before, self._on_gpu = max(self._before, _own_memory()), True
        if _peak() <= self._before + self._most:  # what is asked for fast
            return ""
        if (grown := _own_memory() - self._before) > self._most:
            gc.collect()
            _trim()
            grown = _own_memory() - self._before
        return f"its memory had grown by {format_bytes(grown)}" if grown > self._most else ""


class Workers:
    """Threads and processes that this process has started, beside those that it has when this is
    made. Some do nothing but wait for work, as those of progress bars do: they may stay."""

    def __init__(self) -> None:
        self._known = set(threading.enumerate())
        self._idle: dict[Path, tuple[float, float]] = {}  # when seen, and seconds at work by then

    def at_work(self) -> str:
        """What is: in words, "" where nothing is."""
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
                return f"it left {places[place]} at work"
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
    """In words, where there is no room for as many again."""
    taken = os.open(os.devnull, os.O_RDONLY)  # the lowest that is free
    os.close(taken)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return f"it left {taken} files open of {most}" if 2 * taken > most > 0 else ""


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (AttributeError, ChildProcessError):
        return False
    return True


def _seconds_at_work(place: Path) -> float:
    """Of a thread or a process so far, with those that it has waited for a core; 0 where it has
    ended or the kernel does not say."""
    try:
        worked, waited, *_ = (place / "schedstat").read_text().split()
    except (OSError, ValueError):
        return 0.0
    return (int(worked) + int(waited)) / 1e9


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT


def _own_memory() -> int:
    """Bytes that are this process's alone: data that all trials read in place are not."""
    try:
        _, resident, shared, *_ = map(int, _STATM.read_bytes().split())
    except OSError:
        return _peak()
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def _trim() -> None:
    """Give what was freed back to the machine: glibc may keep it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
