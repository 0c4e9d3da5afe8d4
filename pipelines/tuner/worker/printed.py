"""Captures what a trial prints, for its record. On a cluster, the log of its process is on another
machine and also contains the output of other trials."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

MOST_PRINTED = 16_000  # characters kept per trial
_CUT = "\n... more is in the log of its process\n"


class Printed:
    """Captures Python's standard output and error of this process, for one trial at a time."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._room = MOST_PRINTED

    def begin(self) -> None:
        """Another trial begins."""
        self._text, self._room = [], MOST_PRINTED

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside the block, what is printed is also captured. If the trial itself replaces
        ``sys.stdout`` or ``sys.stderr``, its stream stays."""
        before = sys.stdout, sys.stderr
        ours = _Both(before[0], self), _Both(before[1], self)
        sys.stdout, sys.stderr = ours
        try:
            yield
        finally:
            if sys.stdout is ours[0]:
                sys.stdout = before[0]
            if sys.stderr is ours[1]:
                sys.stderr = before[1]

    def take(self) -> str:
        """What was printed since the last call. Of much output only the beginning is kept."""
        text, self._text = "".join(self._text), []
        return text

    def hear(self, text: str) -> None:
        """A trial prints ``text``."""
        if self._room <= 0:
            return
        self._text.append(text[: self._room].encode(errors="replace").decode())
        self._room -= len(text)
        if self._room <= 0:
            self._text.append(_CUT)


class _Both:
    """A text stream that also passes its text on to a listener."""

    def __init__(self, stream: TextIO, listener: Printed) -> None:
        self._stream, self._listener = stream, listener

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        self._listener.hear(text)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
