"""The advice at the end of a run: what it says about trials made by hand, and when it is silent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from pipelines.record.trials import TIME_BUDGET, FinishedTrial, State
from pipelines.results.advice import advice, lr_threshold
from trainables.training.clues import Kind


def trial(
    lr: float | None, clue: str = "", *, diverged: bool = False, ended: bool = False
) -> FinishedTrial:
    """A trial that the scheduler stopped, unless it diverged or was trained to the end."""
    return FinishedTrial(
        "t",
        {} if lr is None else {"lr": lr},
        State.COMPLETE if ended else State.PRUNED,
        stopped_by="divergence" if diverged else "" if ended else "scheduler",
        clue=clue,
    )


def trials_at(
    lrs: Sequence[float], clue: str = "", *, diverged: bool = False, ended: bool = False
) -> list[FinishedTrial]:
    return [trial(lr, clue, diverged=diverged, ended=ended) for lr in lrs]


LOW, HIGH = [0.001, 0.003, 0.01, 0.03, 0.1, 0.2], [0.8, 1.0, 2.0]


def test_nothing_is_said_of_nothing() -> None:
    assert advice([]) == ""
    assert advice(trials_at(LOW)) == ""
    assert advice(trials_at(LOW, "fits", ended=True)) == ""


def test_divergence_is_told_with_the_learning_rate_from_which_on_it_happens() -> None:
    text = advice([*trials_at(LOW), *trials_at(HIGH, "lr too large", diverged=True)])
    assert text == "33% of 9 trials diverged, most above lr 0.4: try a lower LR"


def test_divergence_at_every_learning_rate_is_told_without_one() -> None:
    lrs = [0.001, 0.01, 0.1, 1.0]
    text = advice([*trials_at(lrs), *trials_at(lrs, diverged=True)])
    assert text == "50% of 8 trials diverged"


def test_a_time_budget_that_lets_no_trial_end_is_told_with_what_fits_it() -> None:
    cut = FinishedTrial(
        "t", {}, State.PRUNED, curve=dict.fromkeys(range(1, 8), 0.5), stopped_by=TIME_BUDGET
    )
    told = (
        "no trial reached its last epoch, where the learning rate schedule ends: --max-epochs 7 "
        "fits the time"
    )
    assert advice([cut, *trials_at(LOW)]) == told
    short = replace(cut, curve={1: 0.5, 2: 0.5})  # a search of two epochs would compare little
    assert advice([short]) == f"{told.partition(': ')[0]}: --data-fraction 0.1 makes epochs shorter"
    assert advice([cut, *trials_at(LOW, ended=True)]) == ""
    assert advice([FinishedTrial("t", {}, State.PRUNED, stopped_by=TIME_BUDGET)]) == ""
    assert advice([replace(cut, stopped_by="interrupt")]) == ""


def test_where_all_diverge_no_learning_rate_tells_them_apart() -> None:
    told = "100% of 3 trials diverged, even with lr 0.8: try a lower LR"
    assert advice(trials_at(HIGH, diverged=True)) == told
    assert advice([trial(None, diverged=True)] * 3) == "100% of 3 trials diverged"


@pytest.mark.parametrize(
    ("n_diverged", "n_sound", "told"), [(2, 2, False), (3, 3, True), (3, 12, True), (3, 13, False)]
)
def test_a_few_are_not_worth_a_word(n_diverged: int, n_sound: int, told: bool) -> None:
    sound = trials_at(list(np.geomspace(0.001, 0.2, n_sound)))
    assert bool(advice([*sound, *trials_at(HIGH[:n_diverged], diverged=True)])) == told


def test_failed_trials_do_not_count() -> None:
    failed = [FinishedTrial("t", {"lr": 1.0}, State.FAIL, error="E")] * 20
    text = advice([*failed, *trials_at(LOW), *trials_at(HIGH, diverged=True)])
    assert text.startswith("33% of 9 trials diverged")


def test_the_clue_of_a_diverged_trial_is_not_told_twice() -> None:
    text = advice([*trials_at(LOW, "fits"), *trials_at(HIGH, "lr too large", diverged=True)])
    assert "near divergence" not in text


def test_small_learning_rates_are_told_from_the_others() -> None:
    text = advice([*trials_at([1e-4, 2e-4, 4e-4], "lr too small"), *trials_at(LOW[1:], "fits")])
    assert text == (
        "of 8 with a curve to read, 38% learnt too slowly, most below lr 0.0011: try a higher LR"
    )


def test_large_ones_that_do_not_diverge_too() -> None:
    text = advice([*trials_at(HIGH, "lr too large"), *trials_at(LOW[1:], "fits")])
    assert text == (
        "of 8 with a curve to read, 38% were near divergence, most above lr 0.4: try a lower LR"
    )


def test_more_epochs_are_no_advice_for_trials_that_were_stopped() -> None:
    stopped = trials_at(LOW, "underfitting")
    assert advice(stopped) == ""
    ended = trials_at(LOW[:3], "underfitting", ended=True)
    assert advice([*stopped, *ended]) == (
        "of 3 trained to the end, 100% were underfitting: try more epochs, a higher LR or a "
        "larger network"
    )


def test_trials_too_short_to_read_are_in_no_share() -> None:
    readable = [
        *trials_at(LOW[:3], "overfitting", ended=True),
        *trials_at([0.1], "fits", ended=True),
    ]
    text = advice([*trials_at(LOW * 10), *readable])
    assert text.startswith("of 4 trained to the end, 75% were overfitting: try more weight decay")


def test_everything_there_is_to_say_is_one_sentence() -> None:
    text = advice(
        [
            *trials_at(HIGH, "lr too large", diverged=True),
            *trials_at([1e-4, 2e-4, 4e-4], "lr too small"),
            *trials_at(LOW[1:4], "underfitting", ended=True),
            *trials_at(LOW[1:4], "overfitting", ended=True),
        ]
    )
    assert text.startswith("25% of 12 trials diverged, most above lr 0.15: try a lower LR; of 9 ")
    assert "of 9 with a curve to read, 33% learnt too slowly, most below lr 0.0011" in text
    assert "of 6 trained to the end, 50% were underfitting: " in text
    assert "network, 50% were overfitting: " in text
    assert "\n" not in text


def test_the_words_are_those_of_the_clues() -> None:
    """If a kind were renamed there, the advice would ignore it."""
    kinds = set(get_args(Kind)) - {"fits"}
    for kind in kinds:
        assert advice([*trials_at(LOW[:3], kind, ended=True), *trials_at(HIGH, "fits")]) != ""


def has_diverged(finished: FinishedTrial) -> bool:
    return finished.diverged


def test_the_threshold_lies_halfway_between_two_neighbours() -> None:
    trials = [*trials_at([0.001, 0.1]), *trials_at([0.9, 3.0], diverged=True)]
    assert lr_threshold(trials, has_diverged, "above") == pytest.approx(math.sqrt(0.09))
    assert lr_threshold(trials, has_diverged, "below") is None


def test_a_few_exceptions_do_not_move_the_threshold() -> None:
    low, high = list(np.geomspace(1e-3, 0.2, 20)), list(np.geomspace(0.8, 5, 10))
    trials = [
        *trials_at(low[:-1]),
        *trials_at(high[1:], diverged=True),
        *trials_at([high[5] * 1.01]),
        *trials_at([low[3] * 1.01], diverged=True),
    ]
    found = lr_threshold(trials, has_diverged, "above")
    assert found is not None
    assert 0.1 < found < 1.0


def test_no_threshold_where_most_there_are_sound() -> None:
    """All three diverged trials are above 0.1, but so are ten trials that did not diverge."""
    trials = [
        *trials_at(list(np.geomspace(1e-4, 0.09, 30))),
        *trials_at(list(np.geomspace(0.2, 5, 10))),
        *trials_at([0.3, 1.0, 4.0], diverged=True),
    ]
    assert lr_threshold(trials, has_diverged, "above") is None


def test_equal_learning_rates_are_not_torn_apart() -> None:
    same = [*trials_at([0.1] * 3), *trials_at([0.1] * 3, diverged=True)]
    assert lr_threshold(same, has_diverged, "above") is None
