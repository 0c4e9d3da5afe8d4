"""The densities of TPE: mixtures of kernels around the values that trials had."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.special import ndtr, ndtri

# Cells below this share of the range: the difference of two probabilities is inexact, or even 0.
_NARROW = 1e-12

Array = NDArray[np.float64]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Mixture:
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


def kernels_around(distribution: BaseDistribution, observed: Array, n: int) -> _Parameter:
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
