"""TPE for thousands of trials: it suggests the same as Optuna's own TPE."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, TPESampler

from pipelines.record.goals import Aim, Goals
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.sampling.fast_tpe import FastTPESampler
from pipelines.tuner.sampling.optuna_sampler import OptunaSampler
from search_spaces import SPACES, AtLeast, Choice, Config, Float, Int, SearchSpace

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

ENDS = (
    (State.COMPLETE, ""),
    (State.PRUNED, "scheduler"),
    (State.PRUNED, "divergence"),
    (State.FAIL, ""),
)


def reference(seed: int) -> TPESampler:
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


def asked(
    sampler: BaseSampler, space: SearchSpace, history: tuple[FinishedTrial, ...] = ()
) -> Iterator[Config]:
    """Configs of a search with four pending trials, which end out of order and in every way."""
    study = OptunaSampler(space, Goals((Aim("value", "min"),)), sampler, history)
    rng = np.random.default_rng(0)
    pending: deque[tuple[str, Config]] = deque()
    for i in range(1000):
        config = study.ask(str(i))
        assert config is not None
        yield config
        pending.append((str(i), config))
        if len(pending) == 4:
            pending.rotate(int(rng.integers(4)))
            study.tell(ended(*pending.popleft(), rng))


def ended(trial_id: str, config: Config, rng: np.random.Generator) -> FinishedTrial:
    state, stopped_by = ENDS[rng.choice(len(ENDS), p=[0.5, 0.3, 0.1, 0.1])]
    curve = {epoch: float(rng.random()) for epoch in range(1, int(rng.integers(2, 6)))}
    if state is State.FAIL:
        return FinishedTrial(trial_id, config, state)
    return FinishedTrial(
        trial_id, config, state, curve, min(curve.values()), len(curve), stopped_by
    )


def first(n: int, configs: Iterator[Config]) -> list[Config]:
    return [next(configs) for _ in range(n)]


def close(left: Config, right: Config) -> bool:
    """Numbers may differ by the rounding error of another order of operations."""
    return left.keys() == right.keys() and all(
        left[name] == pytest.approx(right[name], rel=1e-6)
        if isinstance(left[name], float)
        else left[name] == right[name]
        for name in left
    )


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_it_suggests_what_optuna_does(name: str) -> None:
    theirs = first(60, asked(reference(7), SPACES[name]))
    ours = first(60, asked(FastTPESampler(7), SPACES[name]))
    assert all(close(a, b) for a, b in zip(ours, theirs, strict=True))


def test_it_learns_from_a_history_as_optuna_does() -> None:
    rng = np.random.default_rng(1)
    space = SPACES["mlp"]
    history = tuple(ended(f"h{i}", space.sample(rng), rng) for i in range(150))
    theirs = first(8, asked(reference(7), space, history))
    ours = first(8, asked(FastTPESampler(7), space, history))
    assert all(close(a, b) for a, b in zip(ours, theirs, strict=True))


def test_as_the_sampler_of_single_parameters_it_suggests_what_optuna_does() -> None:
    """Another sampler asks it for what it cannot do itself. No options here: of two that score the
    same the last digit decides."""
    deep = {f"x{i}": Float(1e-3, 1.0, log=True, when=AtLeast("n", i)) for i in (1, 2, 3)}
    space = SearchSpace({"n": Int(1, 3), **deep, "y": Float(0.0, 1.0)})

    def cma(independent: BaseSampler) -> BaseSampler:
        return optuna.samplers.CmaEsSampler(
            seed=1, independent_sampler=independent, warn_independent_sampling=False
        )

    theirs = first(40, asked(cma(TPESampler(seed=1)), space))
    ours = first(40, asked(cma(FastTPESampler(1)), space))
    assert all(close(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(("low", "log"), [(0, False), (10**7, True)])
def test_it_treats_a_very_wide_range_of_integers_as_one_of_numbers(low: int, log: bool) -> None:
    """The probability of one integer must not be a difference of two that are equal as floats."""
    integers, numbers = (
        [float(config["n"]) for config in first(40, asked(FastTPESampler(7), space))]
        for space in (
            SearchSpace({"n": Int(low, 2**62, log=log)}),
            SearchSpace({"n": Float(low, 2**62, log=log)}),
        )
    )
    assert integers == pytest.approx(numbers, rel=1e-5)


@pytest.mark.parametrize("known", [0, 2])
def test_a_diverged_trial_stays_the_worst_when_others_turn_out_worse(known: int) -> None:
    """A sampler that ignores pruned trials is told a value for it, and lower values later. The
    first ``known`` trials are of another search."""
    values = np.linspace(0.9, 0.1, 20)
    trials = [
        FinishedTrial(str(n), {"x": 0.5}, State.COMPLETE, {1: value}, value, 1)
        for n, value in enumerate(values.tolist())
    ]
    trials[1] = FinishedTrial("1", {"x": 0.5}, State.PRUNED, {1: 0.0}, 0.0, 1, "divergence")
    tpe, space = FastTPESampler(0), SearchSpace({"x": Float(0.0, 1.0)})
    goals = Goals((Aim("value", "max"),))
    study = OptunaSampler(space, goals, tpe, trials[:known], knows_pruned=False)
    for trial in trials[known:]:
        study.ask(trial.trial_id)
        study.tell(trial)
    study.ask("asked")
    good, _ = tpe._seen.split(len(trials))
    assert list(good) == [0, 2]


def test_with_thinned_bad_trials_it_still_finds_the_good_region() -> None:
    """At (3, 0.7), which has a hundredth of the space."""
    space = SearchSpace({"option": Choice(tuple(range(12))), "x": Float(0.0, 1.0)})

    def value(config: Config) -> float:
        return float(config["option"] != 3) + abs(float(config["x"]) - 0.7)

    study = OptunaSampler(space, Goals((Aim("value", "min"),)), FastTPESampler(0, max_kernels=50))
    values = []
    for i in range(300):
        config = study.ask(str(i))
        assert config is not None
        values.append(value(config))
        study.tell(FinishedTrial(str(i), config, State.COMPLETE, {1: values[-1]}, values[-1], 1))
    assert np.mean(np.array(values[-100:]) < 0.05) > 0.15
