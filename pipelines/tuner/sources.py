"""Where the trials of a study come from: a sampler, or trials that are repeated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from pipelines.record.events import Events
from pipelines.record.trials import FinishedTrial
from pipelines.tuner.attempts import Attempt
from pipelines.tuner.sampling.samplers import Sampler
from search_spaces import Config


class Source(Protocol):
    """Is asked for one trial after another."""

    def ask(self, trial_id: str) -> tuple[Config, Attempt] | None:
        """The config and the first attempt of the trial that Ray calls ``trial_id``; None if no
        trial is left."""

    def tell(self, trial: FinishedTrial) -> None:
        """A trial that was asked for has ended."""


class Once:
    """Tells the algorithm of each trial once. A trial that is trained on ends a second time, but
    the algorithm has already learnt its result at the length of the other trials."""

    def __init__(self, tell: Callable[[FinishedTrial], None], told: Iterable[str]) -> None:
        self._tell = tell
        self._told = set(told)

    def __call__(self, trial: FinishedTrial) -> None:
        if trial.trial_id not in self._told:
            self._told.add(trial.trial_id)
            self._tell(trial)


class NotedTrials:
    """The trials of ``source``; each is noted in ``events`` when it is asked for."""

    def __init__(self, source: Source, events: Events | None) -> None:
        self._source = source
        self._events = events

    def ask(self, trial_id: str) -> tuple[Config, Attempt] | None:
        asked = self._source.ask(trial_id)
        if asked is not None and self._events is not None:
            config, attempt = asked
            self._events.asked(attempt.trial_id, config, attempt.seed, attempt.repeat_of)
        return asked

    def tell(self, trial: FinishedTrial) -> None:
        self._source.tell(trial)


class ScreenedTrials:
    """The trials of ``source``, without those that end before they start, as ``end`` says. Those
    count as trials, but cost nothing."""

    def __init__(
        self,
        source: Source,
        end: Callable[[Config, Attempt], bool],
        over: Callable[[], bool] = lambda: False,
    ) -> None:
        """``over`` says whether the study is ending."""
        self._source = source
        self._end = end
        self._over = over
        self._n = 0

    def ask(self, trial_id: str) -> tuple[Config, Attempt] | None:
        name = trial_id
        while not self._over() and (asked := self._source.ask(name)) is not None:
            if not self._end(*asked):
                return asked
            self._n += 1
            name = f"{trial_id}x{self._n}"  # Ray's own name is kept for the one that trains
        return None

    def tell(self, trial: FinishedTrial) -> None:
        self._source.tell(trial)


class SampledTrials:
    """As many as ``trials``, each with a config of ``sampler`` and the ``seed`` of the study."""

    def __init__(self, sampler: Sampler, trials: int, seed: int) -> None:
        self._sampler = sampler
        self._left = trials
        self._seed = seed

    def ask(self, trial_id: str) -> tuple[Config, Attempt] | None:
        if self._left <= 0:
            return None
        config = self._sampler.ask(trial_id)
        self._left = 0 if config is None else self._left - 1
        return None if config is None else (config, Attempt(trial_id, self._seed))

    def tell(self, trial: FinishedTrial) -> None:
        self._sampler.tell(trial)


class RepeatedTrials:
    """Each of ``trials`` again with each of ``seeds``, except for the pairs in ``done``: the name
    of the repeated trial, and the seed."""

    def __init__(
        self,
        trials: Iterable[FinishedTrial],
        seeds: Iterable[int],
        done: Collection[tuple[str, int]] = (),
    ) -> None:
        seeds = tuple(seeds)
        wanted = [(trial, seed) for trial in trials for seed in seeds]
        self._left = [(trial, seed) for trial, seed in wanted if (trial.trial_id, seed) not in done]
        self._left.reverse()

    def ask(self, trial_id: str) -> tuple[Config, Attempt] | None:
        if not self._left:
            return None
        trial, seed = self._left.pop()
        return dict(trial.config), Attempt(trial_id, seed, repeat_of=trial.trial_id)

    def tell(self, trial: FinishedTrial) -> None:
        """Results change nothing."""
