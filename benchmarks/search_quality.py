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
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Protocol

import hyperopt
import numpy as np
import optuna
from cyclopts import Parameter
from cyclopts.validators import Number
from hyperopt import hp, tpe
from hyperopt.base import JOB_STATE_DONE, JOB_STATE_RUNNING, Domain, spec_from_misc
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, TPESampler

from pipelines.cli.command import command
from pipelines.cli.command import main as run
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.algorithms import ALGORITHMS
from pipelines.tuner.samplers import Problem
from search_spaces import Choice, Config, Float, OneOf, SearchSpace
from trainables.training.metrics import METRICS

SIGNIFICANT = 0.05
SMALLEST = 1e-12  # a smaller regret counts as this, because it has to have a logarithm
PENALTY = METRICS["val_loss"].worst  # the value that a search is told for a diverged trial


@dataclass(frozen=True)
class Function:
    """A function to minimise, and its domain three times: as this project writes it, and as one
    writes it by hand for Optuna and for HyperOpt. ``value`` is infinite if it diverges."""

    value: Callable[[Config], float]
    optimum: float
    optimal: tuple[Config, ...]  # where the optimum is reached
    space: SearchSpace
    suggest: Callable[[optuna.Trial], Config]
    nested: Any  # what `fmin` takes
    flatten: Callable[[Any], Config] = dict  # a point of `nested` as a config


def branin(config: Config) -> float:
    """Branin 1972, as in Dixon and Szegő 1978 ("The global optimisation problem", Towards Global
    Optimisation 2): on [-5, 10] x [0, 15], with three optima of 10 / (8 pi) = 0.397887."""
    x1, x2 = _numbers(config)
    bow = x2 - 5.1 / (4 * math.pi**2) * x1**2 + 5 / math.pi * x1 - 6
    return bow**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x1) + 10


def half_branin(config: Config) -> float:
    """Branin that diverges in one half, x1 > 2.5: of the optima only the one at -pi is left.

    After the unknown constraints of Gelbart, Snoek and Adams 2014 ("Bayesian optimization with
    unknown constraints", UAI), simplified: here the infeasible half has a straight border."""
    return branin(config) if _numbers(config)[0] <= 2.5 else math.inf


_HEIGHT = np.array([1.0, 1.2, 3.0, 3.2])
_STEEPNESS = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_CENTRE = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(config: Config) -> float:
    """Hartman 1973 ("Some experiments in global optimization"), as in Dixon and Szegő 1978: on
    [0, 1]^6, with six local optima; the best is -3.322368. Not rescaled as in Picheny et al. 2012.
    """
    distances = np.sum(_STEEPNESS * (np.array(_numbers(config)) - _CENTRE) ** 2, axis=1)
    return -float(_HEIGHT @ np.exp(-distances))


def rosenbrock(config: Config) -> float:
    """Rosenbrock 1960 ("An automatic method for finding the greatest or least value of a
    function"), in the sum over neighbours of Dixon and Mills 1994: here on [-5, 10]^4, the bounds
    of Surjanovic and Bingham's library; 0 at (1, 1, 1, 1)."""
    x = _numbers(config)
    return sum(100 * (after - before**2) ** 2 + (1 - before) ** 2 for before, after in pairwise(x))


def jenatton(config: Config) -> float:
    """Jenatton, Archambeau, González and Seeger 2017 ("Bayesian optimization with tree-structured
    dependencies", ICML), section 5.1: a binary tree of depth two.

    x1, x2 and x3 are binary. x1 decides which of x2 and x3 is active, and that one decides the
    leaf: x1 = 0 has x2, and its leaves x4^2 + 0.1 + r8 (x2 = 0) and x5^2 + 0.2 + r8 (x2 = 1);
    x1 = 1 has x3, and its leaves x6^2 + 0.3 + r9 (x3 = 0) and x7^2 + 0.4 + r9 (x3 = 1). r8 and r9
    are shared by two leaves each. x4 ... x7 lie in [-1, 1], r8 and r9 in [0, 1]; the optimum is
    0.1, at x1 = x2 = x4 = r8 = 0."""
    left = config["x1"] == 0
    second = config["x2" if left else "x3"]
    leaf = 4 + 2 * int(not left) + int(second)
    shared = float(config["r8" if left else "r9"])
    return float(config[f"x{leaf}"]) ** 2 + (leaf - 3) / 10 + shared


def _numbers(config: Config) -> list[float]:
    return [float(x) for x in config.values()]


def _point(*numbers: float) -> Config:
    return {f"x{i}": float(x) for i, x in enumerate(numbers, 1)}


def _flat(
    value: Callable[[Config], float],
    optimum: float,
    optimal: Iterable[Config],
    bounds: Iterable[tuple[float, float]],
) -> Function:
    """A function of real numbers that are all always active."""
    named = {f"x{i}": pair for i, pair in enumerate(bounds, 1)}
    return Function(
        value,
        optimum,
        tuple(optimal),
        SearchSpace({name: Float(*pair) for name, pair in named.items()}),
        lambda trial: {name: trial.suggest_float(name, *pair) for name, pair in named.items()},
        {name: hp.uniform(name, *pair) for name, pair in named.items()},
    )


_JENATTON_SPACE = SearchSpace(
    {
        "x1": Choice((0, 1)),
        "r8": Float(0, 1, when=OneOf("x1", (0,))),
        "r9": Float(0, 1, when=OneOf("x1", (1,))),
        "x2": Choice((0, 1), when=OneOf("x1", (0,))),
        "x3": Choice((0, 1), when=OneOf("x1", (1,))),
        "x4": Float(-1, 1, when=OneOf("x2", (0,))),
        "x5": Float(-1, 1, when=OneOf("x2", (1,))),
        "x6": Float(-1, 1, when=OneOf("x3", (0,))),
        "x7": Float(-1, 1, when=OneOf("x3", (1,))),
    }
)


def _suggest_jenatton(trial: optuna.Trial) -> Config:
    x1 = trial.suggest_categorical("x1", [0, 1])
    shared, inner = ("r8", "x2") if x1 == 0 else ("r9", "x3")
    config = {"x1": x1, shared: trial.suggest_float(shared, 0, 1)}
    config[inner] = trial.suggest_categorical(inner, [0, 1])
    leaf = f"x{4 + 2 * x1 + config[inner]}"
    return {**config, leaf: trial.suggest_float(leaf, -1, 1)}


def _nested_jenatton() -> Any:
    def side(x1: int, shared: str, inner: str, leaves: tuple[str, str]) -> dict[str, Any]:
        options = [{inner: i, leaf: hp.uniform(leaf, -1, 1)} for i, leaf in enumerate(leaves)]
        return {"x1": x1, shared: hp.uniform(shared, 0, 1), "then": hp.choice(inner, options)}

    return hp.choice("x1", [side(0, "r8", "x2", ("x4", "x5")), side(1, "r9", "x3", ("x6", "x7"))])


def _flatten_jenatton(point: Any) -> Config:
    config = {**point, **point["then"]}
    del config["then"]
    return config


_BRANIN_BOUNDS = ((-5.0, 10.0), (0.0, 15.0))
_BRANIN_OPTIMUM = 10 / (8 * math.pi)
_LEFT = _point(-math.pi, 12.275)

FUNCTIONS: dict[str, Function] = {
    "branin": _flat(
        branin,
        _BRANIN_OPTIMUM,
        (_LEFT, _point(math.pi, 2.275), _point(3 * math.pi, 2.475)),
        _BRANIN_BOUNDS,
    ),
    "hartmann6": _flat(
        hartmann6,
        -3.32236801141551,
        (_point(0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054),),
        [(0.0, 1.0)] * 6,
    ),
    "rosenbrock4": _flat(rosenbrock, 0.0, (_point(1, 1, 1, 1),), [(-5.0, 10.0)] * 4),
    "jenatton": Function(
        jenatton,
        0.1,
        ({"x1": 0, "r8": 0.0, "x2": 0, "x4": 0.0},),
        _JENATTON_SPACE,
        _suggest_jenatton,
        _nested_jenatton(),
        _flatten_jenatton,
    ),
    "half-branin": _flat(half_branin, _BRANIN_OPTIMUM, (_LEFT,), _BRANIN_BOUNDS),
}


class Loop(Protocol):
    """One search. Between ``ask`` and ``tell`` the trial ``number`` is pending."""

    def ask(self, number: int) -> Config: ...

    def tell(self, number: int, config: Config, value: float) -> None: ...


class OursLoop:
    """A recipe of this project, told of divergence as in the pipeline."""

    def __init__(self, algo: str, function: Function, seed: int, trials: int) -> None:
        self._sampler = ALGORITHMS[algo](Problem(function.space, "min", seed, trials))

    def ask(self, number: int) -> Config:
        config = self._sampler.ask(str(number))
        assert config is not None  # no space here is finite
        return config

    def tell(self, number: int, config: Config, value: float) -> None:
        state, by = (State.COMPLETE, "") if math.isfinite(value) else (State.PRUNED, "divergence")
        told = finite(value)
        self._sampler.tell(
            FinishedTrial(str(number), config, state, {1: told}, told, best_epoch=1, stopped_by=by)
        )


class OptunaLoop:
    """Optuna's own ask and tell; a diverged trial is told as the penalty."""

    def __init__(self, sampler: BaseSampler, function: Function) -> None:
        self._study = optuna.create_study(sampler=sampler)
        self._suggest = function.suggest
        self._pending: dict[int, optuna.Trial] = {}

    def ask(self, number: int) -> Config:
        self._pending[number] = self._study.ask()
        return self._suggest(self._pending[number])

    def tell(self, number: int, config: Config, value: float) -> None:
        self._study.tell(self._pending.pop(number), finite(value))


class HyperOptLoop:
    """What ``fmin`` does with asynchronous trials: ``tpe.suggest`` on one new id while the others
    run; a diverged trial is told as the penalty."""

    def __init__(self, function: Function, seed: int) -> None:
        self._function = function
        self._rng = np.random.default_rng(seed)
        self._trials = hyperopt.Trials()
        self._domain = Domain(None, function.nested)

    def ask(self, number: int) -> Config:
        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        seed = self._rng.integers(2**31 - 1)
        documents = tpe.suggest(ids, self._domain, self._trials, seed, verbose=False)
        documents[0]["state"] = JOB_STATE_RUNNING
        self._trials.insert_trial_docs(documents)
        self._trials.refresh()
        spec = spec_from_misc(documents[0]["misc"])
        return self._function.flatten(hyperopt.space_eval(self._function.nested, spec))

    def tell(self, number: int, config: Config, value: float) -> None:
        document = self._trials._dynamic_trials[number]
        document["state"] = JOB_STATE_DONE
        document["result"] = {"status": hyperopt.STATUS_OK, "loss": finite(value)}
        self._trials.refresh()


def finite(value: float) -> float:
    """The value that a search is told: ``value``, or the penalty if it is not finite."""
    return value if math.isfinite(value) else PENALTY


def optuna_tpe(seed: int) -> BaseSampler:
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


def optuna_gp(seed: int) -> BaseSampler:
    independent = TPESampler(seed=seed)
    return GPSampler(seed=seed, independent_sampler=independent, warn_independent_sampling=False)


def optuna_cmaes(seed: int) -> BaseSampler:
    independent = TPESampler(seed=seed)
    return CmaEsSampler(seed=seed, independent_sampler=independent, warn_independent_sampling=False)


NATIVE: dict[str, Callable[[Function, int], Loop]] = {
    "optuna": lambda function, seed: OptunaLoop(optuna_tpe(seed), function),
    "hyperopt": HyperOptLoop,
    "gp": lambda function, seed: OptunaLoop(optuna_gp(seed), function),
    "cmaes": lambda function, seed: OptunaLoop(optuna_cmaes(seed), function),
}


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
