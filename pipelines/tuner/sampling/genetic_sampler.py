"""NSGA-II for a conditional space, and for a start from the trials of another search."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import NSGAIISampler
from optuna.study import Study
from optuna.trial import FrozenTrial


class GeneticSampler(NSGAIISampler):
    """Optuna's NSGA-II crosses the parameters that all trials have, and draws the others at random
    throughout the search. Here a child takes each of the other parameters from a parent that has
    it, and mutates it with the probability that Optuna uses: about one parameter per child."""

    def __init__(self, *, population_size: int, seed: int) -> None:
        super().__init__(population_size=population_size, seed=seed)
        self._parents: list[FrozenTrial] = []  # of the trial that is being asked for
        self._crossed: Collection[str] = ()  # its parameters that all trials have

    def begin_with(self, study: Study) -> None:
        """Make all trials of ``study`` the first generation. If there are at least as many as the
        population size, the best of them are the parents of the second generation."""
        for trial in study.get_trials(deepcopy=False):  # the study's own objects, in memory
            trial.system_attrs = {**trial.system_attrs, self._get_generation_key(): 0}

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        self._parents = super().get_parent_population(study, generation)
        return self._parents

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._crossed = search_space
        return super().sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        having = [parent for parent in self._parents if param_name in parent.params]
        if having and param_name not in self._crossed:  # a crossed one is here only to mutate
            rng = self._rng.rng
            if rng.rand() >= 1 / max(1, len(self._crossed)):
                return having[rng.choice(len(having))].params[param_name]
        return super().sample_independent(study, trial, param_name, param_distribution)
