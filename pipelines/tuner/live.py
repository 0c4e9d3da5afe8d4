"""How a search stands, written for pages while it runs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from pipelines.record.files import RunFiles
from pipelines.record.live import Driver, Live, write_live
from pipelines.tuner.ledger import TrialLedger

EVERY = 1.0  # seconds, at least, from one writing to the next
REST = 60.0  # and so many times as long as the last one took: below 2% of the driver's time
_PACE_OVER = 30.0  # seconds of which the pace is told


class Suggesting(Protocol):
    """What suggests configs, as far as pages show it."""

    @property
    def suggestion_seconds(self) -> float | None: ...

    @property
    def slots(self) -> int: ...


class LiveState:
    """Writes ``live.json`` of a search as it goes."""

    def __init__(
        self,
        files: RunFiles,
        ledger: TrialLedger,
        searcher: Suggesting,
        phase: str,
        clock: Callable[[], float] = time.monotonic,
        also: Callable[[Live], None] = lambda live: None,
    ) -> None:
        """``also`` gets each state that is written."""
        self.spent = 0.0  # seconds of the driver's time that went into it
        self._files = files
        self._ledger = ledger
        self._searcher = searcher
        self._phase = phase
        self._clock = clock
        self._also = also
        self._driver = Driver.this()
        self._next = clock()
        self._every = EVERY
        self._pace: deque[tuple[float, int]] = deque()  # times, and the epochs trained by then

    def step(self, paused: int = 0) -> None:
        """To be called often: writes where it is time to, so many of the running trials being
        paused. A page is worth less than a search, so a full disk ends nothing."""
        started = self._clock()
        if started < self._next:
            return
        found = self._found(started, paused)
        with suppress(OSError, ValueError):
            write_live(self._files, found)
        self._also(found)
        took = self._clock() - started
        self.spent += took
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
        """Epochs a second, lately; None where nothing can be said yet."""
        self._pace.append((now, self._ledger.epochs))
        while len(self._pace) > 2 and now - self._pace[0][0] > _PACE_OVER:
            self._pace.popleft()
        (then, before), (_, trained) = self._pace[0], self._pace[-1]
        return None if now <= then else max(0, trained - before) / (now - then)
