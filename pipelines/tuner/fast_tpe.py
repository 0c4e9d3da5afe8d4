"""Optuna's tree-structured Parzen estimator, for thousands of trials."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import default_gamma, default_weights
from optuna.search_space.group_decomposed import _SearchSpaceGroup
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.special import ndtr, ndtri

from pipelines.tuner.optuna_sampler import PENALISED

MAX_KERNELS = 2500  # at most, for bad trials: of more trials, this many are used
# Cells below this share of the range: the difference of two probabilities is inexact, or even 0.
_NARROW = 1e-12

Array = NDArray[np.float64]
Numbers = NDArray[np.intp]
_Space = dict[str, BaseDistribution]


class FastTPESampler(TPESampler):
    """``TPESampler(multivariate=True, group=True, constant_liar=True)`` of Optuna 5, faster.

    Up to ``max_kernels`` bad trials, it makes the same suggestions from the same random numbers,
    except for ties between trials or candidates. Beyond that, the density of the bad trials is
    estimated from ``max_kernels`` of them, chosen evenly by weight. It is faster because each trial
    is read once, when it has ended, because a mixture of truncated normal distributions is
    evaluated as one array, and because mixtures are kept: the good trials seldom change, and many
    trials lack the parameters of a group.
    """

    def __init__(self, seed: int | None = None, max_kernels: int = MAX_KERNELS) -> None:
        with warnings.catch_warnings():  # `group` is experimental, since Optuna 2.8
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(multivariate=True, group=True, constant_liar=True, seed=seed)
        self._max_kernels = max_kernels
        self._seen = _Seen()
        self._read_for = -1
        # By side (0: good trials, 1: bad ones) and parameters: the last mixture, and of what it is.
        self._kept: dict[tuple[int, tuple[str, ...]], tuple[_Space, Array, _Mixture]] = {}

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        self._read(study, trial)
        self._search_space_group = self._seen.groups
        return {
            name: distribution
            for group in self._seen.groups.search_spaces
            for name, distribution in sorted(group.items())
            if not distribution.single()
        }

    def _sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not search_space or self._seen.n_finished < self._n_startup_trials:
            return {}
        return self._sample(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        self._read(study, trial)
        if self._seen.n_finished < self._n_startup_trials:
            return self._random_sampler.sample_independent(
                study, trial, param_name, param_distribution
            )
        return self._sample(study, trial, {param_name: param_distribution})[param_name]

    def _read(self, study: Study, trial: FrozenTrial) -> None:
        """Read what has happened before ``trial`` is asked for."""
        if self._read_for != trial.number:
            self._seen.update(study, self._get_params)
            self._read_for = trial.number

    def _sample(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The best of some candidates drawn from the density of the good trials."""
        below, above = (
            self._mixture(side, rows, search_space)
            for side, rows in enumerate(self._seen.split(trial.number))
        )
        candidates = below.sample(self._rng.rng, self._n_ei_candidates)
        best = int(np.argmax(below.density(candidates) / above.density(candidates)))
        return {
            name: distribution.to_external_repr(column[best].item())
            for (name, distribution), column in zip(search_space.items(), candidates, strict=True)
        }

    def _mixture(self, side: int, rows: Numbers, search_space: _Space) -> _Mixture:
        """The mixture of the trials in ``rows`` that have all parameters of ``search_space``."""
        observed = self._seen.values(rows, search_space)
        key = side, tuple(search_space)
        space, values, mixture = self._kept.get(key, (None, observed, None))
        if mixture is None or space != search_space or not np.array_equal(values, observed):
            mixture = self._mixture_of(observed, search_space)
            self._kept[key] = search_space, observed, mixture
        return mixture

    def _mixture_of(self, observed: Array, search_space: _Space) -> _Mixture:
        n = observed.shape[1]
        weights = default_weights(n)
        if n > self._max_kernels:
            total = weights.sum()
            places = (np.arange(self._max_kernels) + 0.5) / self._max_kernels * total
            observed = observed[:, np.searchsorted(np.cumsum(weights), places)]
            weights = np.full(self._max_kernels, total / self._max_kernels)
        weights = np.append(weights, 1.0)  # the prior's
        kernels = [
            _kernels(distribution, values, n)
            for distribution, values in zip(search_space.values(), observed, strict=True)
        ]
        return _Mixture(weights / weights.sum(), kernels)


def plain_tpe(seed: int | None = None) -> TPESampler:
    """Optuna's own TPE with the same settings, for several objectives."""
    with warnings.catch_warnings():  # `group` is experimental, since Optuna 2.8
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


class _Seen:
    """What TPE needs to know about the trials so far: one row per trial number."""

    def __init__(self) -> None:
        self.groups = _SearchSpaceGroup()  # groups of parameters that were active together
        self.n_finished = 0
        self._values: dict[str, Array] = {}  # by parameter: internal values, NaN where inactive
        self._order: Array = np.empty((0, 3))  # sort keys, best first; NaN while a trial runs
        self._distributions: dict[str, BaseDistribution] = {}
        self._n_trials = 0
        self._unfinished: list[int] = []
        self._below = self._above = np.empty(0, np.intp)

    def update(
        self, study: Study, params_of: Callable[[FrozenTrial, Study], Mapping[str, Any]]
    ) -> None:
        """Read the trials that have ended since the last call, and the running ones."""
        trials = study.get_trials(deepcopy=False)
        self._grow(len(trials))
        open_ = [*self._unfinished, *range(self._n_trials, len(trials))]
        self._n_trials = len(trials)
        self._unfinished = [n for n in open_ if not trials[n].state.is_finished()]
        for trial in (trials[number] for number in open_):
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                self._order[trial.number] = _order(trial, study.direction)
                self.groups.add_distributions(trial.distributions)
            if trial.state not in (TrialState.FAIL, TrialState.WAITING):
                self._enter(trial.number, params_of(trial, study), trial.distributions)
        self._rank()

    def split(self, asked: int) -> tuple[Numbers, Numbers]:
        """The good trials, and all others except the one that is being asked for."""
        return self._below, self._above[self._above != asked]

    def values(self, rows: Numbers, names: Mapping[str, BaseDistribution]) -> Array:
        """One line per parameter, with the values of the rows that have all these parameters."""
        nothing = np.full(len(self._order), np.nan)
        chosen = np.array([self._values.get(name, nothing)[rows] for name in names])
        return chosen[:, ~np.isnan(chosen).any(axis=0)]

    def _rank(self) -> None:
        """Running trials count as bad ones (constant liar)."""
        finished = np.flatnonzero(~np.isnan(self._order[:, 0]))
        ranked = finished[np.lexsort(self._order[finished].T[::-1])]
        self.n_finished = len(finished)
        n_below = default_gamma(self.n_finished)
        self._below = np.sort(ranked[:n_below])
        self._above = np.sort(np.concatenate([ranked[n_below:], np.array(self._unfinished, int)]))

    def _enter(
        self, number: int, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
    ) -> None:
        self._distributions.update(distributions)
        for column in self._values.values():
            column[number] = np.nan  # while it ran, inactive parameters had values too
        for name, value in params.items():
            if name not in self._values:
                self._values[name] = np.full(len(self._order), np.nan)
            self._values[name][number] = self._distributions[name].to_internal_repr(value)

    def _grow(self, n: int) -> None:
        missing = max(2 * n, 64) - len(self._order) if n > len(self._order) else 0
        if missing:
            self._order = np.pad(self._order, ((0, missing), (0, 0)), constant_values=np.nan)
            self._values = {
                name: np.pad(column, (0, missing), constant_values=np.nan)
                for name, column in self._values.items()
            }


def _order(trial: FrozenTrial, direction: StudyDirection) -> tuple[float, float, float]:
    """Complete trials come first, by value, and the penalised ones after the others; then pruned
    trials, by the epoch that they reached and then by value; then infeasible trials, by how far
    they are from feasible."""
    if (violation := sum(value for value in trial.constraints.values() if value > 0)) > 0:
        return 2.0, violation, 0.0
    sign = -1.0 if direction == StudyDirection.MAXIMIZE else 1.0
    if trial.state is TrialState.COMPLETE:
        if PENALISED in trial.user_attrs:  # its value changes later, but it stays the worst
            return 0.0, 1.0, 0.0
        return 0.0, 0.0, sign * cast(float, trial.value)
    if not trial.intermediate_values:
        return 1.0, 1.0, 0.0
    step, value = max(trial.intermediate_values.items())
    return 1.0, -step, np.inf if np.isnan(value) else sign * value


@dataclass(frozen=True)
class _Mixture:
    """A mixture of product kernels: one around each trial, and the prior.

    ``weights`` has the shape (kernels,); candidates have one line per parameter.
    """

    weights: Array
    parameters: list[_Parameter]

    def sample(self, rng: np.random.RandomState, size: int) -> list[Array]:
        # The same draws as `rng.choice(len(weights), p=weights, size=size)`, without its checks.
        chosen = self._cumulative.searchsorted(rng.random_sample(size), side="right")
        # Optuna draws the random numbers of all categorical parameters first.
        options = [i for i, p in enumerate(self.parameters) if isinstance(p, _Categorical)]
        drawn = {i: rng.rand(size) for i in options}
        numeric = [i for i in range(len(self.parameters)) if i not in drawn]
        drawn |= dict(zip(numeric, rng.uniform(size=(len(numeric), size)), strict=True))
        return [p.sample(chosen, drawn[i]) for i, p in enumerate(self.parameters)]

    def density(self, candidates: list[Array]) -> Array:
        """The density at each candidate: never 0, because the prior covers the whole range."""
        smooth, cells = [np.ones((len(candidates[0]), 1))], []
        for parameter, values in zip(self.parameters, candidates, strict=True):
            if isinstance(parameter, _Discrete):
                cells.append(parameter.density(values))
            else:
                smooth.append(parameter.features(values))
        # One matrix product for all parameters whose log density is linear in some features.
        kernels = np.exp(np.hstack(smooth) @ self._coefficients)
        return cast(Array, reduce(np.multiply, cells, kernels).sum(axis=1))

    @cached_property
    def _cumulative(self) -> Array:
        cumulative = np.cumsum(self.weights)
        return cast(Array, cumulative / cumulative[-1])

    @cached_property
    def _coefficients(self) -> Array:
        linear = [p.coefficients() for p in self.parameters if not isinstance(p, _Discrete)]
        return np.vstack([np.log(self.weights), *linear])


def _kernels(distribution: BaseDistribution, observed: Array, n: int) -> _Parameter:
    """Kernels around the ``observed`` values, which represent ``n`` trials."""
    if isinstance(distribution, CategoricalDistribution):
        return _Categorical(observed.astype(np.intp), len(distribution.choices), 1 / (n + 1))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    kind = _Discrete if distribution.step else _Continuous
    return kind.around(observed, distribution, n)


@dataclass(frozen=True)
class _Categorical:
    """Kernels that each prefer the option of one trial; the last kernel is uniform.

    ``smoothing`` is the weight of every option; the observed option has 1 more.
    """

    observed: Numbers
    n_options: int
    smoothing: float

    def sample(self, kernels: Numbers, quantiles: Array) -> Array:
        cumulative = np.cumsum(self._probabilities()[:, kernels], axis=0)
        cumulative[-1] = 1.0
        return cast(Array, (cumulative < quantiles).sum(axis=0).astype(float))

    def features(self, values: Array) -> Array:
        """One-hot encoded options."""
        is_option = values[:, np.newaxis] == np.arange(self.n_options)
        return cast(Array, is_option.astype(float))

    def coefficients(self) -> Array:
        return np.log(self._probabilities())

    def _probabilities(self) -> Array:
        """An array of shape (options, kernels)."""
        table = np.full((self.n_options, len(self.observed) + 1), self.smoothing)
        table[self.observed, np.arange(len(self.observed))] += 1
        return cast(Array, table / table.sum(axis=0))


@dataclass(frozen=True)
class _Numeric:
    """Truncated normal kernels on ``[low, high]``, of the logarithm if the domain is logarithmic.
    The last kernel is the prior's."""

    distribution: FloatDistribution | IntDistribution
    low: float
    high: float
    mu: Array
    sigma: Array

    @classmethod
    def around(
        cls, observed: Array, distribution: FloatDistribution | IntDistribution, n: int
    ) -> Self:
        """Each kernel is as wide as the distance to the next value, within bounds. The values
        represent ``n`` trials, so the distances are scaled down accordingly."""
        half = (distribution.step or 0.0) / 2
        low, high = float(distribution.low - half), float(distribution.high + half)
        if distribution.log:
            observed, low, high = np.log(observed), float(np.log(low)), float(np.log(high))
        width = high - low
        sigma = np.empty_like(observed)
        order = np.argsort(observed)
        if len(observed):
            gaps = np.diff(np.concatenate(([low], observed[order], [high])))
            sigma[order] = np.maximum(gaps[:-1], gaps[1:])
        if len(observed) >= 2:  # the ends of the range do not count as neighbours
            sigma[order[0]], sigma[order[-1]] = gaps[1], gaps[-2]
        sigma = np.clip(sigma * len(observed) / max(n, 1), width / min(100.0, 2.0 + n), width)
        mu = np.append(observed, (low + high) / 2)
        return cls(distribution, low, high, mu, np.append(sigma, width))

    def sample(self, kernels: Numbers, quantiles: Array) -> Array:
        mu, sigma = self.mu[kernels], self.sigma[kernels]
        below, above = (ndtr((edge - mu) / sigma) for edge in (self.low, self.high))
        drawn = mu + sigma * ndtri(below + quantiles * (above - below))
        drawn = np.clip(drawn, self.low, self.high)
        if self.distribution.log:
            drawn = np.exp(drawn)
        if step := self.distribution.step:
            drawn = self.distribution.low + np.round((drawn - self.distribution.low) / step) * step
        return cast(Array, np.clip(drawn, self.distribution.low, self.distribution.high))

    def _scaled(self, values: Array) -> Array:
        return np.log(values) if self.distribution.log else values


class _Continuous(_Numeric):
    def features(self, values: Array) -> Array:
        """1, x and x^2: the terms of (x - mu)^2."""
        x = (self._scaled(values) - self.low) / (self.high - self.low)
        return np.column_stack([np.ones_like(x), x, x * x])

    def coefficients(self) -> Array:
        width = self.high - self.low
        mu, precision = (self.mu - self.low) / width, np.square(width / self.sigma)
        inside = _mass(self.mu, self.sigma, self.low, self.high)
        at_0 = -np.log(inside * self.sigma * np.sqrt(2 * np.pi)) - precision * mu * mu / 2
        return np.stack([at_0, precision * mu, -precision / 2])


class _Discrete(_Numeric):
    def density(self, values: Array) -> Array:
        """The probability of a cell ``step`` wide around each value, of shape (candidates,
        kernels). Many trials have the same value, so equal kernels are computed once."""
        mu, sigma, inside, of_kernel = self._unique
        step = self.distribution.step or 0.0
        left, right = (self._scaled(values + s)[:, np.newaxis] for s in (-step / 2, step / 2))
        cells = _mass(mu, sigma, left, right)
        width = step / values if self.distribution.log else np.full_like(values, step)
        if (narrow := width < _NARROW * (self.high - self.low)).any():
            z = (self._scaled(values[narrow])[:, np.newaxis] - mu) / sigma
            cells[narrow] = np.exp(-z * z / 2) / (sigma * np.sqrt(2 * np.pi))
            cells[narrow] *= width[narrow, np.newaxis]
        return (cells / inside)[:, of_kernel]

    @cached_property
    def _unique(self) -> tuple[Array, Array, Array, Numbers]:
        kernels, of_kernel = np.unique(self.mu + 1j * self.sigma, return_inverse=True)
        mu, sigma = kernels.real, kernels.imag
        return mu, sigma, _mass(mu, sigma, self.low, self.high), of_kernel


_Parameter = _Categorical | _Continuous | _Discrete


def _mass(mu: Array, sigma: Array, left: Array | float, right: Array | float) -> Array:
    """The probability of the kernels between two points, without truncation."""
    return cast(Array, ndtr((right - mu) / sigma) - ndtr((left - mu) / sigma))
