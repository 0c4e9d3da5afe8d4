"""What to try next: the interface of a sampler, and the sequences that learn nothing."""

from __future__ import annotations

import itertools
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


class SequenceSampler:
    """Configs in an order that no result changes, but those in the history: a search goes on where
    the history left gaps."""

    def __init__(self, configs: Iterable[Config], history: Iterable[FinishedTrial] = ()) -> None:
        self._configs = iter(configs)
        self._done = [trial.config for trial in history]

    def ask(self, trial_id: str) -> Config | None:
        for config in self._configs:
            if config not in self._done:
                return config
            self._done.remove(config)  # once only: a small space may have it again
        return None

    def tell(self, trial: FinishedTrial) -> None:
        """The order stands."""


def random_configs(space: SearchSpace, seed: int) -> Iterator[Config]:
    """Independent draws; the n-th depends on the seed and n alone."""
    for n in itertools.count():
        yield space.sample(np.random.default_rng([seed, n]))


def sobol_configs(space: SearchSpace, seed: int) -> Iterator[Config]:
    """A scrambled Sobol sequence with one dimension for each parameter, active or not."""
    from scipy.stats import qmc

    names = list(space.domains)
    engine = qmc.Sobol(len(names), scramble=True, rng=seed)
    while True:
        point = dict(zip(names, engine.random(1)[0].tolist(), strict=True))
        yield space.walk(lambda name, domain: domain.at(point[name]))  # noqa: B023  # used at once
