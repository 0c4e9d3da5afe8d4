"""Notices that a search stands still because none of its trials runs."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 30.0  # seconds: a cold process needs as long to start


class Idle:
    """Asks why no trial runs, once each time that none has run for half a minute."""

    def __init__(self, why: Callable[[], str]) -> None:
        self._why = why
        self._since: float | None = None  # when it was first seen that none runs
        self._asked = False

    def look(self, *, runs: bool) -> str:
        """Why no trial runs, if this has just been asked; "" otherwise. ``runs`` says whether one
        runs now."""
        if runs:
            self._since, self._asked = None, False
            return ""
        if self._since is None:
            self._since = time.monotonic()
        if self._asked or time.monotonic() - self._since < PATIENCE:
            return ""
        self._asked = True
        return self._why()
