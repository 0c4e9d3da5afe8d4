"""The one adapter from our samplers to Ray Tune's Searcher interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from pipelines.search.samplers import Sampler
from search_spaces import Config


class StudySearcher(Searcher):
    """Asks the sampler while slots are free.

    ``slots`` is called each time, so the search follows a cluster that grows or shrinks. The
    sampler is told results by the study's callback, which knows how a trial ended; Ray tells a
    searcher only that it did.
    """

    def __init__(self, sampler: Sampler, max_trials: int, slots: Callable[[], int]) -> None:
        super().__init__()
        self._sampler = sampler
        self._left = max_trials
        self._slots = slots
        self._live: set[str] = set()

    def suggest(self, trial_id: str) -> Config | str | None:
        if self._left <= 0:
            return str(Searcher.FINISHED)
        if len(self._live) >= self._slots():
            return None
        config = self._sampler.ask(trial_id)
        if config is None:
            self._left = 0
            return str(Searcher.FINISHED)
        self._left -= 1
        self._live.add(trial_id)
        return config

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self._live.discard(trial_id)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing for Ray's own snapshot: the record is what a search goes on from."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the record is what a search goes on from."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: see :meth:`save`."""
