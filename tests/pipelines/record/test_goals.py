"""Objectives and requirements as a user types them, and the Pareto front."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from pipelines.record.front import pareto_front
from pipelines.record.goals import Aim, Goals, Requirement, read_aim, read_requirement
from pipelines.record.trials import FinishedTrial, State, best_trial
from trainables.training.metrics import METRICS

SMALL = Requirement("n_parameters", "<", 1e5)
GOALS = Goals((Aim("val_accuracy", "max"), Aim("n_parameters", "min")), (SMALL,))


def trial(name: str, accuracy: float, size: int, **more: object) -> FinishedTrial:
    ended = FinishedTrial(
        name,
        {},
        State.COMPLETE,
        {1: accuracy},
        accuracy,
        best_epoch=1,
        metrics={"val_accuracy": accuracy},
        n_parameters=size,
    )
    return replace(ended, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        ("n_parameters", Aim("n_parameters", "min")),
        ("seconds:min", Aim("seconds", "min")),
        ("val_loss", Aim("val_loss", "min")),
        ("val_f1:max", Aim("val_f1", "max")),
        ("latency:min", Aim("latency", "min")),
    ],
)
def test_an_objective(text: str, aim: Aim) -> None:
    assert read_aim(text) == aim
    assert read_aim(str(aim)) == aim


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latency", "'latency' is none of .*latency:min or latency:max"),
        ("val_loss:max", "'val_loss:max' has the wrong direction: use val_loss:min"),
        ("seconds:least", "'seconds:least' is not of the form"),
        ("a b:min", "is not of the form"),
        ("", "is not of the form"),
    ],
)
def test_what_is_no_objective(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_aim(text)


@pytest.mark.parametrize(
    "text", ["n_parameters", "a=1", "a<", "a<b", "<1", "a<nan", "a<1 b", "a<<1"]
)
def test_what_is_no_requirement(text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form NAME<NUMBER"):
        read_requirement(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("n_parameters<=1234567", "n_parameters<=1234567"),
        ("n_parameters<1e6", "n_parameters<1e+06"),
        ("loss<0.123456789", "loss<0.123456789"),
        ("n_parameters<100000", "n_parameters<100000"),
    ],
)
def test_a_requirement_is_written_with_all_digits(text: str, shown: str) -> None:
    assert str(read_requirement(text)) == shown
    assert read_requirement(shown) == read_requirement(text)


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0, 2.0, 3.0, 1e9])
def test_a_requirement_that_does_not_hold_has_a_distance(value: float) -> None:
    for sign, bound in product(("<", "<=", ">", ">="), (-1.0, 0.0, 2.0)):
        found = read_requirement(f" loss {sign} {bound}")
        assert found == Requirement("loss", sign, bound)
        assert found.holds(value) == eval(f"{value}{sign}{bound}")
        assert (found.violation(value) > 0) != found.holds(value)


def test_the_front_has_what_none_beats() -> None:
    trials = [
        trial("a", 0.9, 5000),
        trial("b", 0.8, 100),
        trial("c", 0.8, 200),  # b is as good, and smaller
        trial("d", 0.95, 9000),
        trial("e", 0.9, 6000),
        trial("twin of a", 0.9, 5000),
        trial("stopped", 0.99, 10, state=State.PRUNED, stopped_by="scheduler"),
        trial("diverged", 0.99, 10, state=State.PRUNED, stopped_by="divergence"),
        trial("too large", 0.99, 200_000, broken=str(SMALL)),
        trial("not counted", 0.99, 0, n_parameters=None),
    ]
    front = [found.trial_id for found in pareto_front(trials, GOALS)]
    assert front == ["d", "a", "twin of a", "b"]
    assert pareto_front([], GOALS) == []
    best = best_trial(trials, METRICS["val_accuracy"])
    assert best is not None
    assert best.trial_id != "too large"


def test_the_front_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    goals = Goals((Aim("a", "max"), Aim("b", "min"), Aim("c", "max")))
    values = rng.integers(0, 6, (120, 3)).astype(float)
    trials = [
        trial(str(n), 0.0, 0, metrics=dict(zip("abc", row, strict=True)))
        for n, row in enumerate(values.tolist())
    ]
    losses = values * [-1, 1, -1]
    unbeaten = {
        str(n)
        for n, row in enumerate(losses)
        if not ((losses <= row).all(axis=1) & (losses < row).any(axis=1)).any()
    }
    assert {found.trial_id for found in pareto_front(trials, goals)} == unbeaten


def test_a_trial_of_another_search_is_judged_anew() -> None:
    assert GOALS.judged(trial("a", 0.9, 200_000)).broken == "n_parameters<100000"
    assert GOALS.judged(trial("a", 0.9, 10, broken="seconds<1")).broken == ""
