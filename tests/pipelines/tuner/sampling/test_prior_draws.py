"""Suggestions around configs that are believed to be good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.record.events import Asked, Ended
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.ledger.before import Before
from pipelines.tuner.rebuilding import resumed_sampler
from pipelines.tuner.sampling.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.sampling.prior import Prior
from pipelines.tuner.sampling.samplers import Problem, Sampler
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
    believed = {n: config for n in range(1, 10) if (config := prior.draw(n - 1)) is not None}
    assert len(believed) >= 2
    assert {n: trials[n].config for n in believed} == believed


@pytest.mark.parametrize("algo", DRAWING)
@pytest.mark.parametrize("asked_again", [1000, 0])
def test_a_search_that_goes_on_draws_what_it_would_have_drawn(
    algo: str, asked_again: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is asked for all trials again or primed with them."""
    monkeypatch.setitem(ALGORITHMS, algo, replace(ALGORITHMS[algo], asked_again=asked_again))
    learned = FinishedTrial("h", {**BELIEVED, "lr": 0.1}, State.COMPLETE, {1: 0.5}, 0.5)
    problem = Problem(SPACE, "max", start_with=(BELIEVED,), prior=True, seed=3, history=(learned,))
    trials = ask_and_tell(make_sampler(algo, problem, worst=0.0), 10)
    events = [
        event
        for trial in trials[:4]
        for event in (Asked(0.0, trial.trial_id, trial.config, 0), Ended(0.0, trial.trial_id))
    ]
    sampler, same = resumed_sampler(algo, problem, 0.0, Before(events, trials[:4]))
    assert same == bool(asked_again)
    again = ask_and_tell(sampler, 6, first=4)
    prior = Prior(SPACE, [BELIEVED], seed=3)
    believed = {n: config for n in range(4, 10) if (config := prior.draw(n - 1)) is not None}
    assert believed
    assert {n: again[n - 4].config for n in believed} == believed
    assert {n: trials[n].config for n in believed} == believed


def drawn_near(problem: Problem, after: int, n: int = 8) -> float:
    """The share of the first ``n`` suggestions after ``after`` trials that are draws."""
    found = 0
    for seed in range(40):
        seeded = replace(problem, seed=seed)
        trials = ask_and_tell(make_sampler("random", seeded, worst=0.0), after + n)[after:]
        sequence = make_sampler("random", replace(seeded, prior=False, start_with=()), worst=0.0)
        own = [trial.config for trial in ask_and_tell(sequence, 2 * (after + n))]
        found += sum(trial.config not in own for trial in trials)
    return found / (40 * n)


def test_configs_that_come_first_and_the_trials_of_another_search_do_not_count() -> None:
    rng = np.random.default_rng(0)
    plain = Problem(SPACE, "max", start_with=(BELIEVED,), prior=True)
    share = drawn_near(plain, 1)
    assert 0.3 < share < 0.5
    tried = replace(SPACE, try_first=tuple(SPACE.sample(rng) for _ in range(8)))
    assert drawn_near(replace(plain, space=tried), 9) == pytest.approx(share, abs=0.06)
    learned = tuple(
        FinishedTrial(f"h{i}", SPACE.sample(rng), State.COMPLETE, value=0.5) for i in range(40)
    )
    assert drawn_near(replace(plain, history=learned), 1) == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("n_options", [1, 2, 4])
def test_a_choice_is_kept_in_three_of_four_draws(n_options: int) -> None:
    space = SearchSpace({"kind": Choice(("a", "b", "c", "d")[:n_options])})
    many = [Prior(space, [{"kind": "a"}], seed=seed).draw(0) for seed in range(4000)]
    kept = np.mean([config["kind"] == "a" for config in many if config is not None])
    assert kept == pytest.approx(0.75 if n_options > 1 else 1.0, abs=0.03)


def test_one_that_is_forbidden_is_left_out() -> None:
    space = replace(SPACE, forbid=lambda config: config["kind"] == "c")
    problem = Problem(space, "max", start_with=(BELIEVED,), prior=True)
    trials = ask_and_tell(make_sampler("random", problem, worst=0.0), 20)
    assert all(trial.config["kind"] != "c" for trial in trials)
