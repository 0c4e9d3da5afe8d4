"""Optuna's tree-structured Parzen estimator, for thousands of trials."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import default_gamma, default_weights
from optuna.search_space.group_decomposed import _SearchSpaceGroup
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from pipelines.tuner.sampling.kernel_mixture import Array, Mixture, Numbers, kernels_around
from pipelines.tuner.sampling.optuna_sampler import PENALISED

MAX_KERNELS = 2500  # at most, for bad trials: of more trials, this many are used
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
        self._kept: dict[tuple[int, tuple[str, ...]], tuple[_Space, Array, Mixture]] = {}

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

    def _mixture(self, side: int, rows: Numbers, search_space: _Space) -> Mixture:
        """The mixture of the trials in ``rows`` that have all parameters of ``search_space``."""
        observed = self._seen.values(rows, search_space)
        key = side, tuple(search_space)
        space, values, mixture = self._kept.get(key, (None, observed, None))
        if mixture is None or space != search_space or not np.array_equal(values, observed):
            mixture = self._mixture_of(observed, search_space)
            self._kept[key] = search_space, observed, mixture
        return mixture

    def _mixture_of(self, observed: Array, search_space: _Space) -> Mixture:
        n = observed.shape[1]
        weights = default_weights(n)
        if n > self._max_kernels:
            total = weights.sum()
            places = (np.arange(self._max_kernels) + 0.5) / self._max_kernels * total
            observed = observed[:, np.searchsorted(np.cumsum(weights), places)]
            weights = np.full(self._max_kernels, total / self._max_kernels)
        weights = np.append(weights, 1.0)  # the prior's
        kernels = [
            kernels_around(distribution, values, n)
            for distribution, values in zip(search_space.values(), observed, strict=True)
        ]
        return Mixture(weights / weights.sum(), kernels)


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
