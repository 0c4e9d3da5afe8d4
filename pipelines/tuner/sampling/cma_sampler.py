"""CMA-ES for a conditional space, and for a start around the best trials of another search."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, create_trial

LEAST = 10  # solutions: the best tenth of them counts, so one at least


class CmaSampler(CmaEsSampler):
    """CMA-ES over the numeric parameters ``names``, which every trial has; ``independent`` draws
    all others.

    With ``source``, complete trials, the first mean and covariance come from the best tenth of them
    (Nomura et al. 2021, arXiv 2012.06932); with fewer than ten trials, from the best one.
    """

    def __init__(
        self,
        names: Collection[str],
        *,
        independent: BaseSampler,
        seed: int,
        source: Sequence[FrozenTrial] = (),
    ) -> None:
        solutions = [_part(trial, names) for trial in source]
        copies = -(-LEAST // max(1, len(solutions)))
        with warnings.catch_warnings():  # `source_trials` is experimental, since Optuna 2.6
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(
                source_trials=solutions * copies or None,
                independent_sampler=independent,
                warn_independent_sampling=False,
                seed=seed,
            )
        self._names = names

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Only ``names``. Another parameter may happen to be active in all trials so far. In the
        first trial without it Optuna's own sampler would give up, for the rest of the search."""
        found = super().infer_relative_search_space(study, trial)
        return {name: found[name] for name in found if name in self._names}


def _part(trial: FrozenTrial, names: Collection[str]) -> FrozenTrial:
    """``trial`` with only ``names``: Optuna ignores a trial with other parameters."""
    return create_trial(
        values=trial.values,
        params={name: trial.params[name] for name in names},
        distributions={name: trial.distributions[name] for name in names},
    )
