"""The search algorithms. One is a recipe: a short function from the problem to a sampler.

To add one, write the function and enter it in ``ALGORITHMS``; the command line's choices and the
contract tests derive from there. A library is imported by the recipe that needs it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from pipelines.search.samplers import GridSampler, Problem, RandomSampler, Sampler


def grid(problem: Problem) -> Sampler:
    """Every combination of the levels; advisable below four parameters.

    Raises ``ValueError`` when it has more configs than trials are allowed.
    """
    size = problem.space.grid_size(problem.grid_levels)
    if size > problem.max_trials:
        raise ValueError(
            f"the grid has {size:,} configs but --trials is {problem.max_trials}: "
            f"use --trials {size}, or fewer levels (--levels NAME=N)"
        )
    return GridSampler(problem.space.grid(problem.grid_levels), problem.history)


def random(problem: Problem) -> Sampler:
    """Independent draws: the baseline (Bergstra and Bengio 2012)."""
    return RandomSampler(problem.space, problem.seed, problem.history)


def optuna(problem: Problem) -> Sampler:
    """Tree-structured Parzen estimator (Bergstra et al. 2011), multivariate within each group of
    parameters that are active together, with pending trials taken for bad (constant liar)."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    from pipelines.search.optuna_sampler import OptunaSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # of `group`, there since Optuna 2.8
        tpe = TPESampler(
            multivariate=True, group=True, constant_liar=True, seed=problem.sampler_seed
        )
    return OptunaSampler(problem.space, problem.mode, tpe, problem.history)


def hyperopt(problem: Problem) -> Sampler:
    """Tree-structured Parzen estimator in its authors' implementation, over the nested space."""
    from pipelines.search.hyperopt_sampler import HyperOptSampler

    return HyperOptSampler(problem.space, problem.mode, problem.sampler_seed, problem.history)


ALGORITHMS: dict[str, Callable[[Problem], Sampler]] = {
    "grid": grid,
    "random": random,
    "optuna": optuna,
    "hyperopt": hyperopt,
}
