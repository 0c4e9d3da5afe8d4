"""A config that the space forbids gets no trial, and the algorithm learns that it is bad."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.sampling.samplers import GuidedSampler
from search_spaces import Config


class Suggests:
    """Suggests these configs, one after the other, and remembers what it is told."""

    def __init__(self, configs: Iterator[Config]) -> None:
        self._configs = configs
        self.told: list[FinishedTrial] = []

    def ask(self, trial_id: str, given: Config | None = None) -> Config | None:
        return given or next(self._configs)

    def tell(self, trial: FinishedTrial) -> None:
        self.told.append(trial)


def test_the_algorithm_hears_of_a_forbidden_config_as_of_one_that_diverged() -> None:
    own = Suggests(iter([{"x": 0.9}, {"x": 0.8}, {"x": 0.1}]))
    sampler = GuidedSampler(own, forbid=lambda config: float(config["x"]) > 0.5, worst=7.0)
    assert sampler.ask("a") == {"x": 0.1}
    assert [trial.config for trial in own.told] == [{"x": 0.9}, {"x": 0.8}]
    for trial in own.told:
        assert (trial.state, trial.value, trial.diverged) == (State.PRUNED, 7.0, True)
