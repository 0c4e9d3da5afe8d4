"""CMA-ES that begins where another search found its best trials."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, create_trial

LEAST = 10  # solutions, of which the best tenth counts


class WarmCmaEsSampler(CmaEsSampler):
    """Its first mean and covariance are those of the best tenth of ``source`` (Nomura et al. 2021,
    arXiv 2012.06932); of fewer than ten trials, of the best one.

    ``source`` are complete trials, one at least. It samples the numbers ``names``, which each trial
    has; other parameters are left to ``independent``.
    """

    def __init__(
        self,
        source: Sequence[FrozenTrial],
        names: Collection[str],
        *,
        independent: BaseSampler,
        seed: int,
    ) -> None:
        solutions = [_part(trial, names) for trial in source]
        copies = -(-LEAST // len(solutions))
        with warnings.catch_warnings():  # `source_trials`, there since Optuna 2.6
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(
                source_trials=solutions * copies,
                independent_sampler=independent,
                warn_independent_sampling=False,
                seed=seed,
            )
        self._names = names

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """What all trials so far have may be more: a parameter that happened to be active."""
        found = super().infer_relative_search_space(study, trial)
        return {name: found[name] for name in found if name in self._names}


def _part(trial: FrozenTrial, names: Collection[str]) -> FrozenTrial:
    """Optuna leaves out a trial with parameters that are not sampled."""
    return create_trial(
        values=trial.values,
        params={name: trial.params[name] for name in names},
        distributions={name: trial.distributions[name] for name in names},
    )
