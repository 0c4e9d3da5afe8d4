"""A search as a command in a process of its own, with its own Ray."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.harness import HERE
from pipelines.record.files import RunFiles
from pipelines.record.lines import read_lines

MARK = "RANGEFINDER_CHAOS"  # in the environment of a search and of all that it starts
PATIENCE = 10.0  # seconds in which the processes of a search have to end


class Ended(NamedTuple):
    """How a search ended, and what it left."""

    code: int
    printed: str  # since it was last read
    seconds: float  # until the search had ended
    gone: float | None  # seconds from then until no process was left; None if one stayed


class Search:
    """``run.py`` in a folder, with options. What it prints goes to a file, because a pipe that
    nobody reads would block it. With ``output`` only errors go to the file, and the rest goes to
    ``output``."""

    def __init__(self, folder: Path, *options: str, output: int | None = None) -> None:
        self.folder = folder
        self.files = RunFiles(folder / "runs" / "it")
        descriptor, name = tempfile.mkstemp(".txt", dir=folder)
        self._printed, self._seen = Path(name), 0
        command = [sys.executable, str(HERE.parent / "pipelines" / "run.py"), *options]
        self.process = subprocess.Popen(
            [*command, "--address", "local"],
            cwd=folder,
            env={**os.environ, MARK: str(folder)},
            stdout=descriptor if output is None else output,
            stderr=descriptor,
        )
        os.close(descriptor)

    def until(self, start: str) -> None:
        """Read what it prints, up to a line that begins with ``start``."""
        over = False
        while not over:
            over = self.process.poll() is not None
            for line in self._news().split("\n")[:-1]:
                self._seen += len(line) + 1
                if line.startswith(start):
                    return
            time.sleep(0.05)
        raise RuntimeError(f"no line begins with {start!r}: {self.end().printed}")

    def ended(self, n: int) -> None:
        """Wait until ``n`` of its trials have ended."""
        while len(self.trials()) < n:
            if self.process.poll() is not None:
                raise RuntimeError(f"the search ended: {self.end().printed}")
            time.sleep(0.05)

    def trials(self) -> list[str]:
        """The ids of the trials that have ended."""
        events = read_lines(self.files.events)
        return [str(event["ended"]) for event in events if "ended" in event]

    def end(self) -> Ended:
        """Wait for its end."""
        started = time.monotonic()
        code = self.process.wait(timeout=300)
        seconds = time.monotonic() - started
        gone = seconds_until_gone(self.folder)
        return Ended(code, self._news(), seconds, gone)

    def _news(self) -> str:
        """What it has printed since it was last read."""
        return self._printed.read_text(errors="replace")[self._seen :]


def left(folder: Path) -> list[int]:
    """The ids of the processes that belong to searches in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={folder}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
    return found


def seconds_until_gone(folder: Path) -> float | None:
    """Seconds until no process of a search is left; None if one is left after PATIENCE."""
    started = time.monotonic()
    while left(folder):
        if time.monotonic() - started > PATIENCE:
            return None
        time.sleep(0.05)
    return time.monotonic() - started
