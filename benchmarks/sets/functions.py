"""Standard test functions with a known optimum, and their domains."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import optuna
from hyperopt import hp

from search_spaces import Choice, Config, Float, OneOf, SearchSpace


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
