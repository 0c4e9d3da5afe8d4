"""CMA-ES that begins around the best trials of another search."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, create_trial

LEAST = 10  # solutions: the best tenth of them counts, so one at least


class WarmCmaEsSampler(CmaEsSampler):
    """CMA-ES whose first mean and covariance come from the best tenth of ``source`` (Nomura et al.
    2021, arXiv 2012.06932); with fewer than ten trials, from the best one.

    ``source`` holds complete trials, at least one. The sampler draws the numeric parameters
    ``names``, which every trial has; ``independent`` draws all others.
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
        with warnings.catch_warnings():  # `source_trials` is experimental, since Optuna 2.6
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
        """Only ``names``: another parameter may happen to be active in all trials so far."""
        found = super().infer_relative_search_space(study, trial)
        return {name: found[name] for name in found if name in self._names}


def _part(trial: FrozenTrial, names: Collection[str]) -> FrozenTrial:
    """``trial`` with only ``names``: Optuna ignores a trial with other parameters."""
    return create_trial(
        values=trial.values,
        params={name: trial.params[name] for name in names},
        distributions={name: trial.distributions[name] for name in names},
    )
