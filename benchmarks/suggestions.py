"""What a suggestion costs, by algorithm and by the number of finished trials.

    python -m benchmarks.suggestions

Each algorithm of this project is asked for configs of a network's space and told made-up values, as
in a search; one trial in three counts as stopped early. No trial runs. For comparison, Optuna's own
TPE is measured with the same settings, behind the same ask and tell.
"""

from __future__ import annotations

import statistics
import time
import warnings
from dataclasses import replace
from typing import Annotated

import cyclopts
import numpy as np
import optuna
from cyclopts import Parameter
from optuna.samplers import TPESampler

from benchmarks.harness import table
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.sampling.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.sampling.optuna_sampler import OptunaSampler
from pipelines.tuner.sampling.samplers import Problem, Sampler
from search_spaces import SPACES, Config, SearchSpace

ASKED = 20  # suggestions that are timed at each size
OWN = "Optuna's own TPE"
MOST = {"gp": 300}  # trials, beyond which a suggestion takes minutes


def finished(n: int, space: SearchSpace) -> list[FinishedTrial]:
    """``n`` trials with made-up values, in [0, 1]."""
    rng = np.random.default_rng(0)
    return [judged(str(i), space.sample(rng), rng) for i in range(n)]


def judged(trial_id: str, config: Config, rng: np.random.Generator) -> FinishedTrial:
    value = float(rng.random())
    state = State.PRUNED if rng.random() < 1 / 3 else State.COMPLETE
    return FinishedTrial(trial_id, config, state, {1: value}, value, 1, "scheduler")


def optunas_own(problem: Problem) -> Sampler:
    """Optuna's own TPE, unchanged."""
    sampler = TPESampler(multivariate=True, group=True, constant_liar=True, seed=problem.seed)
    return OptunaSampler(problem.space, problem.goals, sampler, problem.history)


def seconds_per_suggestion(algo: str, space: SearchSpace, history: list[FinishedTrial]) -> float:
    """The median of a few suggestions, after ``history``."""
    problem = Problem(space, "max", history=tuple(history))
    sampler = optunas_own(problem) if algo == OWN else make_sampler(algo, problem, worst=0.0)
    rng = np.random.default_rng(1)
    seconds = []
    for i in range(ASKED):
        started = time.perf_counter()
        config = sampler.ask(f"new{i}")
        seconds.append(time.perf_counter() - started)
        assert config is not None
        sampler.tell(judged(f"new{i}", config, rng))
    return statistics.median(seconds)


def main(
    algos: Annotated[list[str] | None, Parameter(help="By default all but the grid.")] = None,
    sizes: Annotated[list[int] | None, Parameter(help="Finished trials; 300 to 10000.")] = None,
    model: Annotated[str, Parameter(help="The network of the space.")] = "mlp",
) -> None:
    """Print milliseconds per suggestion."""
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    sizes = sizes or [300, 1000, 3000, 10_000]
    space = replace(SPACES[model], try_first=())  # the portfolio costs no suggestion
    history = finished(max(sizes), space)
    rows = []
    for algo in algos or [*(name for name in ALGORITHMS if name != "grid"), OWN]:
        costs = [
            f"{1000 * seconds_per_suggestion(algo, space, history[:n]):.1f}"
            if n <= MOST.get(algo, n)
            else ""
            for n in sizes
        ]
        rows.append([algo, *costs])
    print(table(["ms per suggestion", *(f"after {n:,} trials" for n in sizes)], rows))


if __name__ == "__main__":
    cyclopts.run(main)
