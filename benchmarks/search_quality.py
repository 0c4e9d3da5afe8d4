"""How good are the configs that a search finds? This project's recipes against native loops.

    python -m benchmarks.search_quality --algos optuna --algos hyperopt --seeds 20 --trials 60

Nothing is trained: the functions are standard test functions with a known optimum. Each recipe is
asked and told as in the pipeline, but without Ray. The native loop is what a user writes by hand
with Optuna (ask and tell, define by run) or HyperOpt (``tpe.suggest`` over a nested space), with
the same settings, seed and number of trials. With a concurrency of n there are n pending trials, of
which the oldest ends first; with a concurrency of 1 the native loop is ``study.optimize``, or
HyperOpt's ``fmin``.

The sides are compared by simple regret, the best value found minus the optimum. Both sides run
every seed, so their differences are paired. These are differences of logarithms, because regrets
differ by orders of magnitude. The Wilcoxon signed-rank test says whether our regrets are larger. If
both sides propose the same configs, the difference is zero; "equal" counts the seeds for which it
is zero. A verdict is "worse" if p is below 0.05, without a correction for the number of rows.
"""

from __future__ import annotations

import math
import statistics
import sys
import warnings
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import optuna
from cyclopts import Parameter
from cyclopts.validators import Number

from benchmarks.peers.loops import NATIVE, Loop, OursLoop, finite
from benchmarks.sets.functions import FUNCTIONS, Function
from pipelines.cli.command import command
from pipelines.cli.command import main as run
from pipelines.tuner.sampling.samplers import Problem
from search_spaces import Config

SIGNIFICANT = 0.05
SMALLEST = 1e-12  # a smaller regret counts as this, because it has to have a logarithm


def search(loop: Loop, function: Function, trials: int, concurrency: int) -> list[float]:
    """The values found, in order. The oldest of ``concurrency`` pending trials ends first."""
    pending: deque[tuple[int, Config]] = deque()
    values: list[float] = []

    def end_oldest() -> None:
        number, config = pending.popleft()
        values.append(function.value(config))
        loop.tell(number, config, values[-1])

    for number in range(trials):
        if len(pending) == concurrency:
            end_oldest()
        pending.append((number, loop.ask(number)))
    while pending:
        end_oldest()
    return values


def regret(values: Iterable[float], optimum: float) -> float:
    """Simple regret: how far the best is from the optimum. Diverged trials count as the penalty."""
    return max(0.0, min(finite(value) for value in values) - optimum)


@dataclass(frozen=True)
class Comparison:
    """The regrets of both sides, one for each seed."""

    function: str
    algo: str
    concurrency: int
    ours: tuple[float, ...]
    native: tuple[float, ...]

    @property
    def equal(self) -> int:
        return sum(a == b for a, b in zip(self.ours, self.native, strict=True))

    @cached_property
    def p(self) -> float:
        return p_larger(self.ours, self.native)

    @property
    def worse(self) -> bool:
        return self.p < SIGNIFICANT

    def __str__(self) -> str:
        return _row(
            self.function,
            self.algo,
            self.concurrency,
            f"{statistics.median(self.ours):.3e}",
            f"{statistics.median(self.native):.3e}",
            f"{self.equal}/{len(self.ours)}",
            f"{self.p:.3f}",
            "worse" if self.worse else "no worse",
        )


def _row(*cells: object) -> str:
    widths = (12, 9, 11, 12, 13, 7, 6, 8)
    padded = (f"{cell!s:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


HEADER = _row(
    "function",
    "algorithm",
    "concurrency",
    "ours, median",
    "native, median",
    "equal",
    "p",
    "verdict",
)


def p_larger(ours: Iterable[float], native: Iterable[float]) -> float:
    """The probability of differences like these if ``ours`` is not larger: one-sided Wilcoxon
    signed-rank test (Wilcoxon 1945), equal pairs left out; 1 if all are equal."""
    from scipy.stats import wilcoxon

    differences = [_log(a) - _log(b) for a, b in zip(ours, native, strict=True)]
    if not any(differences):
        return 1.0
    return float(wilcoxon(differences, alternative="greater").pvalue)


def _log(value: float) -> float:
    return math.log10(max(value, SMALLEST))


def compare(name: str, algo: str, concurrency: int, seeds: int, trials: int) -> Comparison:
    """Both sides of one row, for the seeds from 0."""
    function = FUNCTIONS[name]
    ours: list[float] = []
    native: list[float] = []
    for seed in range(seeds):
        # The seed that the recipe hands on, so that both sides may draw the same numbers.
        drawn = Problem(function.space, "min", seed, trials).sampler_seed
        sides = OursLoop(algo, function, seed, trials), NATIVE[algo](function, drawn)
        for regrets, loop in zip((ours, native), sides, strict=True):
            values = search(loop, function, trials, concurrency)
            regrets.append(regret(values, function.optimum))
    return Comparison(name, algo, concurrency, tuple(ours), tuple(native))


def comparisons(
    functions: Iterable[str],
    algos: Collection[str],
    concurrency: Collection[int],
    seeds: int,
    trials: int,
) -> Iterator[Comparison]:
    """Every row of the table, as soon as it is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        for name in functions:
            for algo in algos:
                for pending in concurrency:
                    yield compare(name, algo, pending, seeds, trials)


AT_LEAST_ONE = Number(gte=1)


def main(
    *,
    seeds: Annotated[int, Parameter(help="Searches of each side.", validator=AT_LEAST_ONE)] = 20,
    trials: Annotated[int, Parameter(help="Trials of each search.", validator=AT_LEAST_ONE)] = 60,
    functions: Annotated[
        tuple[str, ...], Parameter(help="Repeat for several.", choices=list(FUNCTIONS))
    ] = tuple(FUNCTIONS),
    algos: Annotated[
        tuple[str, ...], Parameter(help="Repeat for several.", choices=list(NATIVE))
    ] = tuple(NATIVE),
    concurrency: Annotated[
        tuple[int, ...],
        Parameter(help="Pending trials. Repeat for several.", validator=AT_LEAST_ONE),
    ] = (1, 8),
) -> int:
    """Print a row for each function, algorithm and concurrency. Exit with 1 if any is worse."""
    print(f"{seeds} seeds, {trials} trials", HEADER, sep="\n", flush=True)
    worse = False
    for comparison in comparisons(functions, algos, concurrency, seeds, trials):
        print(comparison, flush=True)
        worse |= comparison.worse
    return int(worse)


app = command(main)

if __name__ == "__main__":
    sys.exit(run(app))
