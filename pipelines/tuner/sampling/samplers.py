"""What to try next: the interface of a sampler, and the samplers that learn nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from pipelines.record.goals import Aim, Goals, Requirement
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.sampling.prior import Prior
from search_spaces import Config, SearchSpace
from trainables.training.metrics import Mode

PATIENCE = 1000  # forbidden configs in a row


@dataclass(frozen=True)
class Problem:
    """The input of a recipe. ``history``: finished trials, to learn from and not to repeat."""

    space: SearchSpace
    mode: Mode
    seed: int = 0
    max_trials: int = 40
    grid_levels: Mapping[str, int] = field(default_factory=dict)
    history: tuple[FinishedTrial, ...] = ()
    start_with: tuple[Config, ...] = ()  # tried before the first configs of the space itself
    prior: bool = False  # also draw configs around start_with
    also: tuple[Aim, ...] = ()  # objectives beside the first
    requirements: tuple[Requirement, ...] = ()
    metric: str = "value"  # the name of the first objective

    @property
    def goals(self) -> Goals:
        """The metric, the other objectives and the requirements."""
        return Goals((Aim(self.metric, self.mode), *self.also), self.requirements)

    @property
    def sampler_seed(self) -> int:
        """A seed for a library's generator. It depends on the length of the history, so that a
        resumed search does not draw its first trials again."""
        return int(np.random.SeedSequence([self.seed, len(self.history)]).generate_state(1)[0] >> 1)


class Sampler(Protocol):
    """Is asked for configs and told results. Between the two, a trial is pending."""

    def ask(self, trial_id: str, given: Config | None = None) -> Config | None:
        """The next config to try; None if nothing is left. If ``given`` is a config, the sampler
        returns that and counts it as its own."""

    def tell(self, trial: FinishedTrial) -> None:
        """Learn from the result of a trial that was asked for."""


class SequenceSampler:
    """Configs in a fixed order, which no result changes, without those in the history: a search
    goes on with what the history has not covered."""

    def __init__(self, configs: Iterable[Config], history: Iterable[FinishedTrial] = ()) -> None:
        self._configs = iter(configs)
        self._done = [trial.config for trial in history]

    def ask(self, trial_id: str, given: Config | None = None) -> Config | None:
        if given is not None:
            self._done.append(given)
            return given
        for config in self._configs:
            if config not in self._done:
                return config
            self._done.remove(config)  # only once: in a small space, the sequence may repeat it
        return None

    def tell(self, trial: FinishedTrial) -> None:
        """Results change nothing."""


class GuidedSampler:
    """Suggests the ``first`` configs first, then those of ``sampler``, with draws of ``prior`` in
    between. It never suggests a forbidden config.

    The sampler is told that a forbidden config diverged.

    :meth:`ask` raises ``ValueError`` after many forbidden configs in a row, and for a config of
    ``sampler`` that is not one of the space.
    """

    def __init__(
        self,
        sampler: Sampler,
        *,
        first: Iterable[Config] = (),
        prior: Prior | None = None,
        suggested: int = 0,
        forbid: Callable[[Config], bool] | None = None,
        problem_with: Callable[[Config], str] = lambda config: "",
        worst: float = 0.0,
        knows_requirements: bool = True,
    ) -> None:
        """If ``knows_requirements`` is false, ``sampler`` is told that a trial which breaks a
        requirement diverged. ``suggested`` says how many configs, without the first ones, an
        earlier driver was given. ``problem_with`` says why a config is not one of the space; ""
        if it is."""
        self._sampler = sampler
        self._knows_requirements = knows_requirements
        self._first = iter(first)
        self._prior = prior
        self._suggested = suggested
        self._forbid = forbid
        self._problem_with = problem_with
        self._worst = worst

    def ask(self, trial_id: str, given: Config | None = None) -> Config | None:
        drawn = None if self._prior is None else self._prior.draw(self._suggested)
        for _ in range(PATIENCE):
            believed = given or next(self._first, None)
            own = believed is None
            if own:
                believed, drawn = drawn, None
            config = self._sampler.ask(trial_id, believed)
            if own and config is not None and (why := self._problem_with(config)):
                kind = type(self._sampler).__name__
                raise ValueError(f"{kind} suggests a config that is not in the space: {why}")
            if config is None or self._forbid is None or not self._forbid(config):
                self._suggested += own
                return config
            self._sampler.tell(
                FinishedTrial(
                    trial_id, config, State.PRUNED, value=self._worst, stopped_by="divergence"
                )
            )
        raise ValueError(f"{PATIENCE} configs in a row are forbidden: widen the space")

    def tell(self, trial: FinishedTrial) -> None:
        hidden = trial.infeasible and not self._knows_requirements
        self._sampler.tell(as_diverged(trial, self._worst) if hidden else trial)


def as_diverged(trial: FinishedTrial, worst: float) -> FinishedTrial:
    """``trial`` as if it had diverged, for a sampler that knows no requirements."""
    return replace(trial, state=State.PRUNED, value=worst, stopped_by="divergence")


def random_configs(space: SearchSpace, seed: int) -> Iterator[Config]:
    """Independent draws; the n-th draw depends only on the seed and n."""
    for n in itertools.count():
        yield space.sample(np.random.default_rng([seed, n]))


def sobol_configs(space: SearchSpace, seed: int) -> Iterator[Config]:
    """A scrambled Sobol sequence with one dimension per parameter, whether active or not."""
    from scipy.stats import qmc

    names = list(space.domains)
    engine = qmc.Sobol(len(names), scramble=True, rng=seed)
    while True:
        point = dict(zip(names, engine.random(1)[0].tolist(), strict=True))
        yield space.walk(lambda name, domain: domain.at(point[name]))  # noqa: B023  # used at once
