"""Ray's population based training, for our searcher and with a seed of its own."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import PopulationBasedTraining


class Population(PopulationBasedTraining):
    """``seed`` decides from which of the best trials one of the worst goes on."""

    def __init__(self, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self._drawn = random.Random(seed)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Ray refuses any searcher here, because a searcher that learns would be told values of
        changed configs. Ours gives the first configs, and learns nothing: see
        :func:`pipelines.tuner.scheduling.schedulers.check_scheduler`."""
        super().on_trial_add(SimpleNamespace(search_alg=None), trial)

    def _checkpoint_or_exploit(
        self, trial: Any, tune_controller: Any, upper_quantile: Any, lower_quantile: Any
    ) -> None:
        if trial in lower_quantile:  # Ray would draw from Python's global generator
            upper_quantile = [self._drawn.choice(upper_quantile)]
        super()._checkpoint_or_exploit(trial, tune_controller, upper_quantile, lower_quantile)
