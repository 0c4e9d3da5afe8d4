"""What algorithms with a state of their own learn from the trials of another search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipelines.record.goals import Aim
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.sampling.algorithms import ALGORITHMS, Algorithm, make_sampler
from pipelines.tuner.sampling.samplers import Problem, Sampler, SequenceSampler
from search_spaces import Choice, Config, Float, Int, OneOf, SearchSpace

SPACE = SearchSpace(
    {
        "x": Float(-5.0, 5.0),
        "y": Float(1e-4, 1.0, log=True),
        "n": Int(1, 9),
        "only": Float(1.0, 1.0),
        "kind": Choice(("a", "b")),
        "b": Float(0.0, 1.0, when=OneOf("kind", ("b",))),
    }
)
STATEFUL = pytest.mark.parametrize("algo", ["cmaes", "genetic"])


def quadratic(config: Config) -> float:
    x, y, n = float(config["x"]) - 2.0, np.log10(float(config["y"])) + 3.0, float(config["n"]) - 7.0
    return -float(x**2 + y**2 + n**2 + (float(config["b"]) - 0.3 if "b" in config else 1.0) ** 2)


def told(trial_id: str, config: Config, value: float) -> FinishedTrial:
    return FinishedTrial(trial_id, config, State.COMPLETE, {1: value}, value, best_epoch=1)


def history(n: int, value: Callable[[Config], float] = quadratic) -> tuple[FinishedTrial, ...]:
    rng = np.random.default_rng(0)
    configs = [SPACE.sample(rng) for _ in range(n)]
    return tuple(told(f"h{i}", config, value(config)) for i, config in enumerate(configs))


def suggested(
    algo: str, before: tuple[FinishedTrial, ...], n: int, seed: int = 0, trials: int = 40
) -> list[Config]:
    sampler = ALGORITHMS[algo](Problem(SPACE, "max", seed, max_trials=trials, history=before))
    configs = []
    for i in range(n):
        config = sampler.ask(str(i))
        assert config is not None
        assert SPACE.contains(config)
        configs.append(config)
        sampler.tell(told(str(i), config, quadratic(config)))
    return configs


@STATEFUL
def test_good_trials_teach_other_things_than_bad_ones(algo: str) -> None:
    found = suggested(algo, history(40), 3)
    negated = suggested(algo, history(40, lambda config: -quadratic(config)), 3)
    pairs = zip(found, negated, strict=True)
    assert all((a["x"], a["y"]) != (b["x"], b["y"]) for a, b in pairs)


@STATEFUL
def test_a_seeded_search_begins_near_the_best_of_the_history(algo: str) -> None:
    seeds = range(10)
    blank = [np.mean([quadratic(c) for c in suggested(algo, (), 10, s)]) for s in seeds]
    seeded = [np.mean([quadratic(c) for c in suggested(algo, history(40), 10, s)]) for s in seeds]
    assert np.median(seeded) > np.median(blank) / 2  # below 0: half as far from the best
    assert sum(a > b for a, b in zip(seeded, blank, strict=True)) >= 9


@STATEFUL
@pytest.mark.parametrize("n", [1, 5, 9])
def test_a_short_history_is_enough(algo: str, n: int) -> None:
    assert len(suggested(algo, history(n), 12)) == 12


@STATEFUL
def test_a_history_of_failures_teaches_nothing(algo: str) -> None:
    failed = tuple(
        FinishedTrial(t.trial_id, t.config, State.FAIL, error="ValueError") for t in history(12)
    )
    assert len(suggested(algo, failed, 12)) == 12


def diverged(trials: tuple[FinishedTrial, ...], value: float = -1e9) -> tuple[FinishedTrial, ...]:
    return tuple(
        replace(t, trial_id=f"d{t.trial_id}", state=State.PRUNED, value=value)
        for t in (replace(t, stopped_by="divergence") for t in trials)
    )


def test_diverged_trials_are_not_among_the_best_that_cmaes_begins_around() -> None:
    lost, others = diverged(history(15)), diverged(history(30)[15:])
    failed = tuple(replace(t, state=State.FAIL, stopped_by="", value=None) for t in lost)
    sound = history(5)

    def numbers(before: tuple[FinishedTrial, ...]) -> list[tuple[object, ...]]:
        return [(c["x"], c["y"], c["n"]) for c in suggested("cmaes", before, 6)]

    assert numbers(lost) == numbers(others)
    assert numbers((*sound, *lost)) == numbers((*sound, *failed))


def test_the_worst_score_of_a_history_is_that_of_this_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Theirs may be that of other data."""
    seen: list[FinishedTrial] = []

    def asks(problem: Problem) -> Sampler:
        seen.extend(problem.history)
        return SequenceSampler(())

    monkeypatch.setitem(ALGORITHMS, "hyperopt", Algorithm(asks))
    past = (*history(2), *diverged(history(2)))
    make_sampler("hyperopt", Problem(SPACE, "max", history=past), worst=-7.0)
    assert [t.value for t in seen] == [*(t.value for t in past[:2]), -7.0, -7.0]


def test_a_history_of_several_objectives_is_the_first_generation() -> None:
    problem = Problem(SPACE, "max", max_trials=20, also=(Aim("seconds", "min"),))
    past = tuple(
        replace(t, curves={"seconds": (float(t.config["n"]),)}, metrics={"seconds": 1.0})
        for t in history(40)
    )
    first = ALGORITHMS["genetic"](replace(problem, history=past)).ask("0")
    turned = tuple(replace(t, value=-(t.value or 0.0)) for t in past)
    assert first != ALGORITHMS["genetic"](replace(problem, history=turned)).ask("0")


def test_a_child_has_what_its_parents_have_where_it_is_not_always_active() -> None:
    """All good parents of kind b have nearly the same value of its parameter."""
    rng = np.random.default_rng(1)
    alike = [
        {**SPACE.sample(rng), "kind": "b", "b": 0.7 + 0.01 * rng.random()} for _ in range(10)
    ] + [{k: v for k, v in SPACE.sample(rng).items() if k != "b"} | {"kind": "a"} for _ in range(9)]
    past = tuple(told(f"h{i}", config, 1.0) for i, config in enumerate(alike))
    configs = [
        config
        for seed in range(20)
        for config in suggested("genetic", past, 4, seed)
        if config["kind"] == "b"
    ]
    inherited = sum(0.7 <= float(config["b"]) <= 0.71 for config in configs) / len(configs)
    assert 0.5 < inherited < 0.95  # one in four is drawn again
