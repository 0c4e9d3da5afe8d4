"""Suggestions around configs that are believed to be good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.prior import Prior
from pipelines.tuner.samplers import Problem, Sampler
from search_spaces import SPACES, Choice, Config, Float, Int, SearchSpace

SPACE = SearchSpace(
    {
        "lr": Float(1e-5, 1.0, log=True),
        "n_layers": Int(1, 9),
        "kind": Choice(("a", "b", "c", "d")),
    }
)
BELIEVED: Config = {"lr": 1e-4, "n_layers": 8, "kind": "c"}
DRAWING = [name for name, algorithm in ALGORITHMS.items() if not algorithm.size]


def ask_and_tell(sampler: Sampler, n: int, first: int = 0) -> list[FinishedTrial]:
    trials = []
    for i in range(first, first + n):
        config = sampler.ask(str(i))
        assert config is not None
        value = 1.0 - abs(np.log10(float(config["lr"])) + 2) / 5
        trials.append(FinishedTrial(str(i), config, State.COMPLETE, value=value, curve={1: value}))
        sampler.tell(trials[-1])
    return trials


def test_draws_lie_around_the_config_and_become_fewer() -> None:
    prior = Prior(SPACE, [BELIEVED], seed=0)
    drawn = [prior.draw(n % 10) for n in range(10)]
    assert drawn == [Prior(SPACE, [BELIEVED], seed=0).draw(n) for n in range(10)]
    many = [Prior(SPACE, [BELIEVED], seed=seed).draw(0) for seed in range(400)]
    found = [config for config in many if config is not None]
    assert 0.4 < len(found) / 400 < 0.6
    assert all(SPACE.contains(config) for config in found)
    assert np.median([np.log10(float(c["lr"])) for c in found]) == pytest.approx(-3.7, abs=0.4)
    assert np.mean([c["kind"] == "c" for c in found]) > 0.7
    later = [Prior(SPACE, [BELIEVED], seed=seed).draw(20) for seed in range(400)]
    assert 0.08 < sum(config is not None for config in later) / 400 < 0.18


def test_what_the_config_does_not_have_is_drawn_from_the_whole_domain() -> None:
    space = SPACES["mlp"]
    narrow = {**space.try_first[0], "n_layers": 1}
    without = {k: v for k, v in narrow.items() if k != "width_2"}
    many = [Prior(space, [without], seed=seed).draw(0) for seed in range(100)]
    found = [config for config in many if config is not None]
    assert all(space.contains(config) for config in found)
    domain = space.domains["width_2"]
    assert isinstance(domain, Int)
    places = [domain.quantile(float(config["width_2"])) for config in found if "width_2" in config]
    assert min(places) < 0.1
    assert max(places) > 0.9


@pytest.mark.parametrize("algo", DRAWING)
def test_every_algorithm_asks_for_them_and_goes_on_as_it_would_have(algo: str) -> None:
    problem = Problem(SPACE, "max", start_with=(BELIEVED,), prior=True, seed=3)
    prior = Prior(SPACE, [BELIEVED], seed=3)
    trials = ask_and_tell(make_sampler(algo, problem, worst=0.0), 10)
    assert trials[0].config == BELIEVED
    believed = {n: config for n in range(1, 10) if (config := prior.draw(n)) is not None}
    assert len(believed) >= 2
    assert {n: trials[n].config for n in believed} == believed
    resumed = make_sampler(algo, replace(problem, history=tuple(trials[:4])), worst=0.0)
    again = ask_and_tell(resumed, 6, first=4)
    assert {n: again[n - 4].config for n in believed if n >= 4} == {
        n: config for n, config in believed.items() if n >= 4
    }


def test_one_that_is_forbidden_is_left_out() -> None:
    space = replace(SPACE, forbid=lambda config: config["kind"] == "c")
    problem = Problem(space, "max", start_with=(BELIEVED,), prior=True)
    trials = ask_and_tell(make_sampler("random", problem, worst=0.0), 20)
    assert all(trial.config["kind"] != "c" for trial in trials)
