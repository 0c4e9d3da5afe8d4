"""The only adapter from a source of trials to Ray Tune's Searcher interface."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from pipelines.tuner.attempts import Attempt, pack
from pipelines.tuner.sources import Source
from search_spaces import Config

_LATEST = 20  # suggestions over which the time is averaged


class StudySearcher(Searcher):
    """Asks the source for a trial while slots are free.

    ``slots`` is called each time, so the search follows a cluster that grows or shrinks. A paused
    trial takes no slot. The study's callback tells the source the results, because it knows how a
    trial ended; Ray tells a searcher only that it ended.
    """

    def __init__(self, source: Source, slots: Callable[[], int]) -> None:
        super().__init__()
        self._source = source
        self._exhausted = False
        self._slots = slots
        self._live: set[str] = set()
        self._paused: set[str] = set()
        self._again: deque[tuple[Config, Attempt]] = deque()
        self._most: int | None = None  # a limit on trials at once, besides the slots
        self._took: deque[float] = deque(maxlen=_LATEST)  # seconds

    @property
    def suggestion_seconds(self) -> float | None:
        """Mean seconds that each of the latest suggestions took; None before the first one."""
        return sum(self._took) / len(self._took) if self._took else None

    @property
    def slots(self) -> int:
        """How many trials may run at once now."""
        return self._room()

    def fewer(self) -> int:
        """A trial has failed: from now on run no more trials at once than run beside it, but at
        least one. Returns how many run beside it."""
        beside = len(self._live - self._paused)
        self._most = max(1, beside)
        return beside

    def _room(self) -> int:
        slots = self._slots()
        return slots if self._most is None else min(slots, self._most)

    def try_again(self, config: Config, attempt: Attempt) -> None:
        """Give ``config`` another attempt, before anything new is asked for."""
        self._again.append((config, attempt))

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._exhausted and not self._again and not self._live:
            return str(Searcher.FINISHED)
        if len(self._live - self._paused) >= self._room():
            return None
        asked = self._again.popleft() if self._again else self._ask(trial_id)
        if asked is not None:
            self._live.add(trial_id)
        elif not self._live:
            return str(Searcher.FINISHED)
        return None if asked is None else pack(*asked)  # None: another attempt may still be needed

    def following(self, trial_id: str) -> tuple[Config, Attempt] | None:
        """What a process trains after a trial; a new trial gets the name ``trial_id``. None if
        nothing is left, or if there are more processes than slots.

        An attempt that needs a larger share of a GPU than others gets a process of its own.
        """
        if len(self._live) > self._room():
            return None
        if self._again and self._again[0][1].gpus is None:
            return self._again.popleft()
        return self._ask(trial_id)

    def _ask(self, trial_id: str) -> tuple[Config, Attempt] | None:
        if self._exhausted:
            return None
        started = time.perf_counter()
        asked = self._source.ask(trial_id)
        self._took.append(time.perf_counter() - started)
        self._exhausted = asked is None
        return asked

    def on_pause(self, trial_id: str) -> None:
        """Ray's HyperBandForBOHB calls this for each trial that it pauses."""
        self._paused.add(trial_id)

    def on_unpause(self, trial_id: str) -> None:
        self._paused.discard(trial_id)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self._live.discard(trial_id)
        self._paused.discard(trial_id)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing for Ray's own snapshot: a search is resumed from the record."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: a search is resumed from the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: see :meth:`save`."""
