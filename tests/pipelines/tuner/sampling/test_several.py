"""Samplers for several objectives, and what they learn about trials that break a requirement."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

import optuna
import pytest

from pipelines.record.front import pareto_front
from pipelines.record.goals import Aim, Goals, Requirement
from pipelines.record.trials import REQUIREMENT, FinishedTrial, State
from pipelines.tuner.sampling.algorithms import ALGORITHMS, make_sampler
from pipelines.tuner.sampling.optuna_sampler import OptunaSampler
from pipelines.tuner.sampling.samplers import Problem
from search_spaces import Config, Float, Int, SearchSpace

SPACE = SearchSpace({"x": Float(0.0, 1.0), "n": Int(1, 1000, log=True)})
ALSO = (Aim("n_parameters", "min"),)
SMALL = Requirement("n_parameters", "<", 100)
of_several = pytest.mark.parametrize("algo", [n for n, a in ALGORITHMS.items() if a.several])


def ended(trial_id: str, config: Config, *, required: bool = False, **more: Any) -> FinishedTrial:
    """A finished trial. Its score is good near x = 0.7, and better with a larger n if that is
    allowed. A trial that is too large was not trained."""
    n = int(config["n"])
    if required and not SMALL.holds(n):
        return FinishedTrial(
            trial_id,
            config,
            State.PRUNED,
            n_parameters=n,
            stopped_by=REQUIREMENT,
            broken=str(SMALL),
        )
    value = 1 - (float(config["x"]) - 0.7) ** 2 - (0 if required else 0.3 / n)
    given: dict[str, Any] = {
        "state": State.COMPLETE,
        "curve": {1: value},
        "value": value,
        "best_epoch": 1,
    }
    given["metrics"] = {"val_accuracy": value}
    return FinishedTrial(trial_id, config, **{**given, **more}, n_parameters=n)


def searched(
    algo: str,
    *,
    also: tuple[Aim, ...] = (),
    require: tuple[Requirement, ...] = (),
    history: Iterable[FinishedTrial] = (),
) -> list[FinishedTrial]:
    trials = 20 if algo == "gp" else 100  # gp takes a tenth of a second for each
    problem = Problem(
        SPACE,
        "max",
        max_trials=trials,
        history=tuple(history),
        also=also,
        requirements=require,
        metric="val_accuracy",
    )
    sampler = make_sampler(algo, problem, worst=0.0)
    found = []
    for number in range(trials):
        config = sampler.ask(str(number))
        assert config is not None
        found.append(ended(str(number), config, required=bool(require)))
        sampler.tell(found[-1])
    return found


def typical_size(trials: list[FinishedTrial]) -> float:
    return statistics.median(t.n_parameters or 0 for t in trials[len(trials) // 2 :])


@of_several
def test_small_networks_are_tried_where_size_is_an_objective_too(algo: str) -> None:
    several, alone = searched(algo, also=ALSO), searched(algo)
    assert typical_size(several) < 0.7 * typical_size(alone)
    assert len(pareto_front(several, Goals((Aim("val_accuracy", "max"), *ALSO)))) >= 4


@pytest.mark.parametrize("algo", [n for n, a in ALGORITHMS.items() if a.learns])
def test_what_is_not_allowed_is_hardly_asked_for(algo: str) -> None:
    """By chance it is one in three."""
    found = searched(algo, require=(SMALL,))
    late = found[len(found) // 2 :]
    assert sum(t.infeasible for t in late) < 0.25 * len(late)
    if algo in ("optuna", "gp"):  # the others learn little from a history
        again = searched(algo, require=(SMALL,), history=found)[:10]
        assert sum(t.infeasible for t in again) <= 2


def study_of(trials: Iterable[FinishedTrial], goals: Goals) -> optuna.Study:
    inner = optuna.samplers.RandomSampler(seed=0)
    sampler = OptunaSampler(SPACE, goals, inner)
    for trial in trials:
        sampler.ask(trial.trial_id, trial.config)
        sampler.tell(trial)
    return sampler._study


def test_a_stopped_trial_is_worse_than_each_whole_one_in_what_stopping_makes_better() -> None:
    goals = Goals((Aim("val_accuracy", "max"), Aim("n_parameters", "min")))
    stopped = ended("0", {"x": 0.7, "n": 1}, state=State.PRUNED, stopped_by="scheduler")
    diverged = ended("1", {"x": 0.7, "n": 1}, state=State.PRUNED, stopped_by="divergence")
    whole = [ended("2", {"x": 0.1, "n": 500}), ended("3", {"x": 0.7, "n": 40})]
    told = study_of([stopped, diverged, *whole], goals).get_trials()
    assert [t.state for t in told] == [optuna.trial.TrialState.COMPLETE] * 4
    assert told[0].values[0] == stopped.value
    assert told[0].values[1] > 500
    assert told[1].values[0] < min(t.value or 0.0 for t in whole)
    assert told[1].values[1] > 500
    assert told[3].values == [whole[1].value, 40.0]


def test_optuna_is_told_how_far_a_trial_is_from_what_is_required() -> None:
    goals = Goals((Aim("val_accuracy", "max"),), (SMALL, Requirement("val_loss", "<", 1.0)))
    large = ended("0", {"x": 0.7, "n": 150}, required=True)
    small = ended("1", {"x": 0.7, "n": 50}, metrics={"val_loss": 1.5})
    told = study_of([large, small], goals).get_trials()
    assert told[0].constraints == {"n_parameters<100": 0.5, "val_loss<1": 0.0}  # not known
    assert told[1].constraints == {"n_parameters<100": -0.5, "val_loss<1": 0.5}
