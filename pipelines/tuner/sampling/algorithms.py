"""The search algorithms. Each is a recipe: a short function from the problem to a sampler.

To add one, write the function and enter it in ``ALGORITHMS``; the command line's choices and the
contract tests are derived from that dictionary. Each recipe imports the library that it needs.
A :class:`~pipelines.tuner.sampling.samplers.Sampler` suggests configs of the problem's space, whose
values are Python's own, not numpy's. ``OptunaSampler`` makes one from any sampler of Optuna.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pipelines.record.goals import Goals
from pipelines.tuner.sampling.prior import Prior
from pipelines.tuner.sampling.samplers import (
    GuidedSampler,
    Problem,
    Sampler,
    SequenceSampler,
    as_diverged,
    random_configs,
    sobol_configs,
)
from search_spaces import Choice, Config
from search_spaces.space import name_of

_COUNTED = 2000  # configs of a grid that are enumerated even if the budget is smaller
_LAID_OUT = 100_000  # values of an Int, at most, for Optuna's GP: it makes an array of all of them


def grid(problem: Problem) -> Sampler:
    """Every combination of the levels; advisable for fewer than four parameters.

    Raises ``ValueError`` if the grid has more configs than ``max_trials``, or if it has no allowed
    config that is still untried.
    """
    size = grid_size(problem)
    if size > problem.max_trials:
        raise ValueError(
            f"the grid has {size:,} configs but `trials` is {problem.max_trials}: "
            f"use `trials={size}`, or fewer `levels` of a parameter"
        )
    if not size:
        n = sum(1 for _ in _allowed(problem))
        if problem.space.forbid is not None and not n:
            name = name_of(problem.space.forbid)
            raise ValueError(f"the space allows no config of the grid: {name}")
        raise ValueError(f"`seed_from` has trials of all {n:,} configs of the grid: none is left")
    return SequenceSampler(_allowed(problem), problem.history)


def grid_size(problem: Problem) -> int:
    """How many configs of the grid are allowed by the space and are not in the history. A grid that
    is far too large is not enumerated: all its configs are counted."""
    size, history = problem.space.grid_size(problem.grid_levels), problem.history
    if size > max(_COUNTED, problem.max_trials + len(history)):
        return size
    if problem.space.forbid is not None:
        size = sum(1 for _ in _allowed(problem))
    done = Counter(frozenset(trial.config.items()) for trial in history)
    for config in _allowed(problem) if history else ():
        key = frozenset(config.items())
        if done[key]:
            done[key] -= 1
            size -= 1
    return size


def _allowed(problem: Problem) -> Iterator[Config]:
    """The configs of the grid that the space does not forbid."""
    everything = problem.space.grid(problem.grid_levels)
    return (config for config in everything if not problem.space.forbids(config))


def random(problem: Problem) -> Sampler:
    """Independent random draws: the baseline (Bergstra and Bengio 2012)."""
    return SequenceSampler(random_configs(problem.space, problem.seed), problem.history)


def sobol(problem: Problem) -> Sampler:
    """A quasi-random sequence, which covers the space more evenly than independent draws."""
    return SequenceSampler(sobol_configs(problem.space, problem.seed), problem.history)


def optuna(problem: Problem) -> Sampler:
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), multivariate within each
    group of parameters that are active together. Pending trials count as bad ones (constant liar).
    At most 2,500 bad trials are used. With several objectives, it is the multi-objective variant
    (Ozaki et al. 2022)."""
    from pipelines.tuner.sampling.fast_tpe import FastTPESampler, plain_tpe
    from pipelines.tuner.sampling.optuna_sampler import OptunaSampler

    seed = problem.sampler_seed
    tpe = plain_tpe(seed) if problem.also else FastTPESampler(seed)
    return OptunaSampler(problem.space, problem.goals, tpe, problem.history)


def gp(problem: Problem) -> Sampler:
    """Gaussian process with expected improvement (Jones et al. 1998) over the parameters that are
    always active, which takes pending trials into account; TPE for the others. With several
    objectives, it uses the expected improvement of the hypervolume. An integer from more than
    100,000 is a rounded real number to it."""
    import torch
    from optuna.samplers import GPSampler

    from pipelines.tuner.sampling.fast_tpe import FastTPESampler, plain_tpe
    from pipelines.tuner.sampling.optuna_sampler import OptunaSampler

    torch.set_num_threads(1)  # the matrices are small: threads would only wait for each other
    seed = problem.sampler_seed
    sampler = GPSampler(
        seed=seed,
        independent_sampler=plain_tpe(seed) if problem.also else FastTPESampler(seed),
        warn_independent_sampling=False,
    )
    return OptunaSampler(
        problem.space,
        problem.goals,
        sampler,
        problem.history,
        knows_pruned=False,
        most_values=_LAID_OUT,
    )


def cmaes(problem: Problem) -> Sampler:
    """Covariance matrix adaptation (Hansen 2016) over the numbers that are always active; TPE for
    the other parameters. Given the trials of another search, it begins around the best tenth of
    those that did not diverge (Nomura et al. 2021)."""
    from pipelines.tuner.sampling.cma_sampler import CmaSampler
    from pipelines.tuner.sampling.fast_tpe import FastTPESampler
    from pipelines.tuner.sampling.optuna_sampler import OptunaSampler

    seed, space = problem.sampler_seed, problem.space
    numbers = [
        name
        for name, domain in space.domains.items()
        if domain.when is None and not domain.single and not isinstance(domain, Choice)
    ]
    around = partial(CmaSampler, numbers, independent=FastTPESampler(seed), seed=seed)
    goals = Goals((problem.goals.first,))
    sampler = OptunaSampler(space, goals, around(), problem.history, knows_pruned=False)
    sampler.study.sampler = around(source=sampler.sound)
    return sampler


def genetic(problem: Problem) -> Sampler:
    """NSGA-II (Deb et al. 2002): crossover and mutation of the best trials or, with several
    objectives, of the first fronts. A parameter that is not always active comes from one parent.
    If the budget has fewer than four generations, the generations are made smaller. The trials of
    another search are the first generation, or the beginning of it."""
    from pipelines.tuner.sampling.genetic_sampler import GeneticSampler
    from pipelines.tuner.sampling.optuna_sampler import OptunaSampler

    population = min(50, max(4, problem.max_trials // 4))
    nsga = GeneticSampler(population_size=population, seed=problem.sampler_seed)
    sampler = OptunaSampler(problem.space, problem.goals, nsga, problem.history, knows_pruned=False)
    nsga.begin_with(sampler.study)
    return sampler


def hyperopt(problem: Problem) -> Sampler:
    """Tree-structured Parzen estimator in its authors' implementation, over the nested space."""
    from pipelines.tuner.sampling.hyperopt_sampler import HyperOptSampler

    return HyperOptSampler(problem.space, problem.mode, problem.sampler_seed, problem.history)


@dataclass(frozen=True)
class Algorithm:
    """A recipe, and what other modules must know about it."""

    make: Callable[[Problem], Sampler]
    learns: bool = True  # from results
    several: bool = False  # handles several objectives, and requirements, itself
    # A resumed search asks the algorithm for all its trials again if there are at most so many. The
    # algorithm is then exactly as it was, to the last random number. If there are more trials, the
    # algorithm only learns from their results.
    asked_again: int = 1000
    size: Callable[[Problem], int] | None = None  # its configs, if it ends by itself

    def __call__(self, problem: Problem) -> Sampler:
        return self.make(problem)

    @property
    def words(self) -> str:
        """A description of the algorithm, for the record."""
        return " ".join((self.make.__doc__ or "").partition("\n\n")[0].split())


ALGORITHMS: dict[str, Algorithm] = {
    "grid": Algorithm(grid, learns=False, asked_again=sys.maxsize, size=grid_size),
    "random": Algorithm(random, learns=False, asked_again=sys.maxsize),
    "sobol": Algorithm(sobol, learns=False, asked_again=sys.maxsize),
    "optuna": Algorithm(optuna, several=True),
    "gp": Algorithm(gp, several=True, asked_again=100),  # seconds per suggestion, after many
    # The state of these two is more than their trials: from results alone, they restart around the
    # best trials.
    "cmaes": Algorithm(cmaes, asked_again=10_000),
    "genetic": Algorithm(genetic, several=True, asked_again=10_000),
    "hyperopt": Algorithm(hyperopt),
}


def first_configs(algorithm: Algorithm, problem: Problem) -> list[Config]:
    """The configs to try before the algorithm suggests any, without duplicates."""
    first: list[Config] = []
    for config in (*problem.start_with, *(() if algorithm.size else problem.space.try_first)):
        if config not in first:
            first.append(config)
    return first


def make_sampler(
    name: str,
    problem: Problem,
    worst: float,
    pending: Sequence[tuple[str, Config]] = (),
    asked: Sequence[Config] = (),
) -> Sampler:
    """The algorithm ``name``. It tries the first configs first, and never a forbidden one.

    ``worst`` is the metric's worst score. A first config that is in the history is not tried again.
    For a resumed search, ``asked`` holds all configs that it has asked for, and ``pending`` the
    names and configs of the trials that have not ended.
    """
    algorithm = ALGORITHMS[name]
    first = first_configs(algorithm, problem)
    if not algorithm.several:
        learned = tuple(
            # The history may be of other data, with another worst score.
            as_diverged(trial, worst) if trial.infeasible or trial.diverged else trial
            for trial in problem.history
        )
        problem = replace(problem, history=learned)
    done = [trial.config for trial in problem.history] + [config for _, config in pending]
    sampler = GuidedSampler(
        algorithm(problem),
        first=[config for config in first if config not in done],
        prior=Prior(problem.space, problem.start_with, problem.seed) if problem.prior else None,
        suggested=len(asked) - sum(config in asked for config in first),
        forbid=problem.space.forbids,
        problem_with=problem.space.problem_with,
        worst=worst,
        knows_requirements=algorithm.several,
    )
    for trial_id, config in pending:
        sampler.ask(trial_id, config)
    return sampler
