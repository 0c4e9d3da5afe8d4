"""What to try next: the interface of a sampler, and the two that need no library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pipelines.search.trials import FinishedTrial
from search_spaces import Config, SearchSpace
from trainables.metrics import Mode


@dataclass(frozen=True)
class Problem:
    """What every recipe gets. ``history`` holds finished trials to learn from and not to repeat."""

    space: SearchSpace
    mode: Mode
    seed: int = 0
    max_trials: int = 40
    grid_levels: Mapping[str, int] = field(default_factory=dict)
    history: tuple[FinishedTrial, ...] = ()

    @property
    def sampler_seed(self) -> int:
        """A seed for a library's generator: other than before where there is a history, so that a
        search that goes on does not draw its first trials again."""
        return int(np.random.SeedSequence([self.seed, len(self.history)]).generate_state(1)[0] >> 1)


class Sampler(Protocol):
    """Asked for configs, told results. Between the two a trial is pending."""

    def ask(self, trial_id: str) -> Config | None:
        """The next config to try; None where there is nothing left."""

    def tell(self, trial: FinishedTrial) -> None:
        """Learn from a trial that was asked for."""


class GridSampler:
    """Every config of a grid, in order, but those in the history."""

    def __init__(self, configs: Iterable[Config], history: Iterable[FinishedTrial] = ()) -> None:
        done = [trial.config for trial in history]
        self._configs: Iterator[Config] = (c for c in configs if c not in done)

    def ask(self, trial_id: str) -> Config | None:
        return next(self._configs, None)

    def tell(self, trial: FinishedTrial) -> None:
        """A grid learns nothing."""


class RandomSampler:
    """Independent draws. The n-th depends on the seed and n alone, so a longer search begins with
    the shorter one's configs, and one with a history goes on where that left gaps."""

    def __init__(
        self, space: SearchSpace, seed: int, history: Iterable[FinishedTrial] = ()
    ) -> None:
        self._space = space
        self._seed = seed
        self._next = 0
        self._done = [trial.config for trial in history]

    def ask(self, trial_id: str) -> Config | None:
        while (config := self._draw()) in self._done:
            self._done.remove(config)  # a small space may have it again
        return config

    def _draw(self) -> Config:
        rng = np.random.default_rng([self._seed, self._next])
        self._next += 1
        return self._space.sample(rng)

    def tell(self, trial: FinishedTrial) -> None:
        """Random search learns nothing."""
