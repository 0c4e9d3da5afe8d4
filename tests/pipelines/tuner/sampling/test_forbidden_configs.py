"""A config that the space forbids gets no trial, and the algorithm learns that it is bad. A config
that is not one of the space is an error of the algorithm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.sampling.samplers import GuidedSampler
from search_spaces import Config, Int, SearchSpace


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


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"n": 7}, "n=7 is not in 1 .. 3"),
        ({"n": np.int64(2)}, r"n=np.int64\(2\) is not in 1 .. 3"),
        ({}, "n is missing"),
    ],
)
def test_an_algorithm_that_leaves_the_space_is_named(config: Any, why: str) -> None:
    sampler = GuidedSampler(
        Suggests(iter([{"n": 2}, config])),
        problem_with=SearchSpace({"n": Int(1, 3)}).problem_with,
    )
    assert sampler.ask("a") == {"n": 2}
    with pytest.raises(ValueError, match=f"Suggests suggests a config that is not .*: {why}"):
        sampler.ask("b")
