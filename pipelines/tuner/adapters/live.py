"""Writes the state of a running search, for the pages that show it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from pipelines.record.files import RunFiles
from pipelines.record.live import Driver, Live, write_live
from pipelines.tuner.ledger.ledger import TrialLedger

EVERY = 1.0  # seconds between two writes, at least
REST = 60.0  # the pause as a multiple of the last write: below 2% of the driver's time
TOLD_EVERY = 10.0  # seconds, at most: Ray drops a gauge that was not set for 20
_PACE_OVER = 30.0  # seconds over which the pace is averaged


class Suggesting(Protocol):
    """The part of a searcher that pages show."""

    @property
    def suggestion_seconds(self) -> float | None: ...

    @property
    def slots(self) -> int: ...


class LiveState:
    """Keeps ``live.json`` of a running search up to date."""

    def __init__(
        self,
        files: RunFiles,
        ledger: TrialLedger,
        searcher: Suggesting,
        phase: str,
        clock: Callable[[], float] = time.monotonic,
        also: Callable[[Live], None] = lambda live: None,
    ) -> None:
        """``also`` receives each state that is written, and others while the disk is too slow."""
        self.spent = 0.0  # seconds of the driver's time spent on this
        self._files = files
        self._ledger = ledger
        self._searcher = searcher
        self._phase = phase
        self._clock = clock
        self._also = also
        self._driver = Driver.this()
        self._next = self._next_told = clock()
        self._every = EVERY
        self._pace: deque[tuple[float, int]] = deque()  # times, and the epochs trained by then

    def step(self, paused: int = 0) -> None:
        """Write the state if it is time to; call this often. ``paused`` says how many of the
        running trials are paused. A full disk does not end the search, because the search is worth
        more than its page."""
        started = self._clock()
        if started < min(self._next, self._next_told):
            return
        found = self._found(started, paused)
        writes = started >= self._next
        if writes:
            with suppress(OSError, ValueError):
                write_live(self._files, found)
        self._also(found)
        took = self._clock() - started
        self.spent += took
        self._next_told = started + took + TOLD_EVERY
        if writes:
            self._every = max(EVERY, REST * took)
            self._next = started + self._every

    def _found(self, now: float, paused: int) -> Live:
        progress, best = self._ledger.progress(paused), self._ledger.incumbent
        return Live(
            driver=self._driver,
            at=time.time(),
            every=self._every,
            phase=self._phase,
            total=progress.total,
            finished=progress.finished,
            running=progress.running,
            paused=paused,
            stopped=progress.stopped,
            diverged=progress.diverged,
            failed=progress.failed,
            infeasible=progress.infeasible,
            best=progress.best,
            best_epoch=None if best is None else best.epoch,
            best_config={} if best is None else best.config,
            seconds=progress.seconds,
            seconds_left=progress.seconds_left,
            slots=self._searcher.slots,
            epochs=self._ledger.epochs,
            epochs_per_second=self._rate(now),
            suggestion_seconds=self._searcher.suggestion_seconds,
            trials=tuple(self._ledger.running_trials()),
        )

    def _rate(self, now: float) -> float | None:
        """Recent epochs per second; None if that is not known yet."""
        self._pace.append((now, self._ledger.epochs))
        while len(self._pace) > 2 and now - self._pace[0][0] > _PACE_OVER:
            self._pace.popleft()
        (then, before), (_, trained) = self._pace[0], self._pace[-1]
        return None if now <= then else max(0, trained - before) / (now - then)
