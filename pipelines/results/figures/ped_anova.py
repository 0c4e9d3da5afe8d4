"""PED-ANOVA: how much the best trials differ from all, one parameter at a time.

Watanabe, Bansal, Hutter 2023 (arXiv 2304.10255); for parameters that not every trial has, theorem
4.2 of Conditional PED-ANOVA (arXiv 2601.20800). The results are those of Optuna's evaluator, except
for a factor that all parameters have in common. Optuna's evaluator takes 8 to 17 ms for each set of
best trials; a report needs dozens of such sets, to see what chance alone reaches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from search_spaces import Choice, Config, Int, SearchSpace
from search_spaces.domains import Domain, Value

_STEPS = 50  # most cells of the grid on which numbers are compared
_LEAST = 2  # trials that must have a parameter
_TINY = 1e-12  # keeps the ratio of two densities finite
_LEAST_SIGMA = 0.5 / 1.64  # 90% of a kernel lies in its own cell of the grid

_Density = NDArray[np.float64]


class _Parameter(NamedTuple):
    """What does not depend on which trials are the best."""

    trials: NDArray[np.int64]  # (n,): the trials that have the parameter
    cells: NDArray[np.int64]  # (n,): the cells of the grid in which their values lie
    ordered: bool
    density: _Density  # of all these trials, for each cell of the grid


class PedAnova:
    """Compares the parameters of ``configs`` that have more than one value in ``space``."""

    def __init__(self, configs: Sequence[Config], space: SearchSpace) -> None:
        self._n = len(configs)
        self._parameters: dict[str, _Parameter] = {}
        for name, domain in space.domains.items():
            trials = [number for number, config in enumerate(configs) if name in config]
            if domain.single or len(trials) < _LEAST:
                continue
            cells, size = _on_grid([configs[number][name] for number in trials], domain)
            ordered = not isinstance(domain, Choice)
            density = _density(np.bincount(cells, minlength=size), ordered=ordered)
            self._parameters[name] = _Parameter(np.array(trials), cells, ordered, density)

    def importances(self, best: NDArray[np.bool_]) -> dict[str, float]:
        """The importance of each parameter for being among the ``best``: shape (n trials,), at
        least one True. Only the ratios have a meaning, because a common factor is left out."""
        return {name: self._importance(p, best) for name, p in self._parameters.items()}

    def _importance(self, parameter: _Parameter, best: NDArray[np.bool_]) -> float:
        cells = parameter.cells[best[parameter.trials]]
        if not len(cells):
            return 0.0
        counts = np.bincount(cells, minlength=len(parameter.density))
        density = _density(counts, ordered=parameter.ordered)
        divergence = parameter.density @ (density / parameter.density - 1) ** 2  # Pearson's
        of_best, of_all = len(cells) / best.sum(), len(parameter.trials) / self._n
        return float(of_best**2 / of_all * divergence)


def _on_grid(values: Sequence[Value], domain: Domain) -> tuple[NDArray[np.int64], int]:
    """The cells of a grid over the domain in which the values lie, and how many cells there are."""
    if isinstance(domain, Choice):
        return np.array([domain.options.index(value) for value in values]), len(domain.options)
    low, high, at = float(domain.low), float(domain.high), np.array(values, dtype=float)
    size = _STEPS
    if isinstance(domain, Int):
        whole = domain.high - domain.low + 1
        size = min(size, math.ceil(math.log2(whole)) + 1 if domain.log else whole)
    if domain.log:
        low, high, at = math.log(low), math.log(high), np.log(at)
    cells = np.ceil((at - low) / (high - low) * (size - 1) - 0.5).astype(int)
    return np.clip(cells, 0, size - 1), size


def _density(counts: NDArray[np.int64], *, ordered: bool) -> _Density:
    """A Parzen estimate from how many trials lie in each cell: shape (len(counts),). A prior, a
    kernel over all cells, has the weight of one trial."""
    n, size = int(counts.sum()), len(counts)
    taken = np.flatnonzero(counts)
    if ordered:
        kernels = _kernels(taken.astype(float), _bandwidth(taken, counts[taken]), size)
        prior = _kernels(np.array([(size - 1) / 2]), float(size), size)[0]
    else:
        # Optuna spreads a part of the prior's weight over each kernel too.
        spread = 1 / (len(taken) + 1)
        kernels = (np.eye(size)[taken] + spread) / (1 + spread * size)
        prior = np.full(size, 1 / size)
    density: _Density = (counts[taken] @ kernels + prior) / (n + 1) + _TINY
    return density


def _bandwidth(cells: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
    """Scott's rule (1992) from the spread or the quartiles, whichever is narrower."""
    up_to = np.cumsum(counts)
    n = int(up_to[-1])
    mean = float(cells @ counts) / n
    sigma = math.sqrt(float((cells - mean) ** 2 @ counts) / max(1, n - 1))
    first = int(np.searchsorted(up_to, n // 4, side="left"))
    third = min(int(np.searchsorted(up_to, n * 3 // 4, side="right")), len(cells) - 1)
    between = float(cells[third] - cells[first])
    return max(1.059 * min(between / 1.34, sigma) / math.pow(n, 0.2), _LEAST_SIGMA)


def _kernels(at: NDArray[np.float64], sigma: float, size: int) -> NDArray[np.float64]:
    """Normal kernels cut off at the ends of the grid: shape (len(at), size), rows add up to 1."""
    edges = np.arange(size + 1) - 0.5
    below = ndtr((edges - at[:, None]) / sigma)
    masses: NDArray[np.float64] = np.diff(below, axis=1) / (below[:, -1:] - below[:, :1])
    return masses
