"""HyperBand gets numbers: how far the trials of each bracket train. No trial runs."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from pipelines.tuner.scheduling.schedulers import SCHEDULERS, StoppingRules
from pipelines.tuner.scheduling.whole_brackets import most_halvings, rung

BRACKETS = {
    9: [(1, 3, 9), (3, 9), (9,)],
    20: [(2, 7, 20), (7, 20), (20,)],
    30: [(1, 3, 10, 30), (3, 10, 30), (10, 30), (30,)],
    50: [(2, 6, 17, 50), (6, 17, 50), (17, 50), (50,)],
}


class StubTrial:
    def __init__(self, trial_id: str, value: float) -> None:
        self.trial_id = trial_id
        self.value = value
        self.status = Trial.PENDING
        self.is_saving = False
        self.epoch = 0


class StubTune:
    """What the scheduler needs of Ray. It trains one trial at a time."""

    def __init__(self, max_epochs: int, reduction_factor: float = 3) -> None:
        rules = StoppingRules("val_accuracy", "max", max_epochs, reduction_factor=reduction_factor)
        self.scheduler: Any = SCHEDULERS["hyperband"].make(rules)
        searcher = SimpleNamespace(on_pause=lambda name: None, on_unpause=lambda name: None)
        self.search_alg = SimpleNamespace(searcher=searcher)
        self.ends: dict[Any, set[int]] = defaultdict(set)  # of each bracket: where trials wait
        self._trials: list[StubTrial] = []
        self._values = np.random.default_rng(0)

    def add(self) -> None:
        self._trials.append(StubTrial(str(len(self._trials)), self._values.uniform()))
        self.scheduler.on_trial_add(self, self._trials[-1])

    def add_a_round(self) -> None:
        while not (self.brackets and self.scheduler._cur_band_filled() and self.last.filled()):
            self.add()

    @property
    def brackets(self) -> list[Any]:
        bands = self.scheduler._hyperbands
        return [bracket for band in bands for bracket in band if bracket is not None]

    @property
    def last(self) -> Any:
        return self.brackets[-1]

    def reached(self, bracket: Any) -> tuple[int, ...]:
        """How many trials of ``bracket`` trained up to each of its rungs."""
        rungs = sorted(self.ends[bracket])
        return tuple(sum(t.epoch >= epochs for t in bracket._all_trials) for epochs in rungs)

    def get_trials(self) -> list[StubTrial]:
        return self._trials

    def stop_trial(self, trial: StubTrial) -> None:
        self.scheduler.on_trial_remove(self, trial)
        trial.status = Trial.TERMINATED

    def fail(self, number: int = -1) -> None:
        self.scheduler.on_trial_error(self, self._trials[number])
        self._trials[number].status = Trial.ERROR

    def diverge(self) -> None:
        self.scheduler.on_trial_complete(self, self._trials[-1], {})
        self._trials[-1].status = Trial.TERMINATED

    def train(self) -> None:
        while trial := self.scheduler.choose_trial_to_run(self):
            self._train(trial)

    def run(self) -> None:
        self.add_a_round()
        self.train()
        assert {trial.status for trial in self._trials} == {Trial.TERMINATED}

    def _train(self, trial: StubTrial) -> None:
        trial.status, decision = Trial.RUNNING, TrialScheduler.CONTINUE
        bracket, _ = self.scheduler._trial_info[trial]
        while decision == TrialScheduler.CONTINUE:
            trial.epoch += 1
            result = {"epoch": trial.epoch, "val_accuracy": trial.value}
            decision = self.scheduler.on_trial_result(self, trial, result)
        self.ends[bracket].add(trial.epoch)
        if decision == TrialScheduler.PAUSE:
            trial.status = Trial.PAUSED
        else:
            self.scheduler.on_trial_complete(self, trial, result)
            trial.status = Trial.TERMINATED


@pytest.mark.parametrize("max_epochs", BRACKETS)
def test_the_finalists_of_every_bracket_train_to_the_end(max_epochs: int) -> None:
    tune = StubTune(max_epochs)
    tune.run()
    rungs = [tuple(sorted(tune.ends[bracket])) for bracket in tune.brackets]
    assert rungs == BRACKETS[max_epochs]
    for bracket in tune.brackets:
        best = max(bracket._all_trials, key=lambda trial: trial.value)
        assert best.epoch == max_epochs


@pytest.mark.parametrize(
    ("max_epochs", "numbers"),
    [
        (20, [(9, 3, 1), (5, 1), (3,)]),
        (50, [(27, 9, 3, 1), (12, 4, 1), (6, 2), (4,)]),
        (81, [(81, 27, 9, 3, 1), (34, 11, 3, 1), (15, 5, 1), (8, 2), (5,)]),
    ],
)
def test_so_many_trials_reach_each_rung(max_epochs: int, numbers: list[tuple[int, ...]]) -> None:
    tune = StubTune(max_epochs)
    tune.run()
    assert [tune.reached(bracket) for bracket in tune.brackets] == numbers


def test_of_a_bracket_that_is_not_full_the_best_of_its_trials_go_on() -> None:
    tune = StubTune(9)
    for _ in range(7):
        tune.add()
    tune.train()
    (bracket,) = tune.brackets
    assert tune.reached(bracket) == (7, 2, 1)


def test_a_trial_that_ends_early_ends_no_rung_of_a_bracket_that_waits_for_others() -> None:
    tune = StubTune(9)
    tune.add()
    tune.diverge()
    for _ in range(8):
        tune.add()
    tune.train()
    (bracket,) = tune.brackets
    assert tune.reached(bracket) == (8, 3, 1)


def test_a_trial_that_diverged_is_among_those_that_do_not_go_on() -> None:
    """Li et al. 2018, algorithm 1: of the n_i trials that began, the best n_i / eta go on."""
    tune = StubTune(9)
    for number in range(9):
        tune.add()
        if number < 4:
            tune.diverge()
    tune.train()
    (bracket,) = tune.brackets
    assert tune.reached(bracket) == (5, 3, 1)


def test_so_many_times_as_long_is_the_next_rung() -> None:
    tune = StubTune(16, reduction_factor=4)
    tune.run()
    rungs = [tuple(sorted(tune.ends[bracket])) for bracket in tune.brackets]
    assert rungs == [(1, 4, 16), (4, 16), (16,)]


def test_no_bracket_takes_more_trials_than_its_own() -> None:
    """Each trial is added when the one before has ended or waits."""
    tune = StubTune(9)
    for _ in range(60):
        tune.add()
        tune.train()
    assert len(tune.brackets) > len(BRACKETS[9]) + 1
    for bracket in tune.brackets[:-1]:
        assert len(bracket._all_trials) == bracket._n0


def test_an_attempt_that_failed_gives_its_place_back() -> None:
    tune = StubTune(9)
    for number in range(9):
        tune.add()
        if number < 4:
            tune.fail()
            tune.add()
    (bracket,) = tune.brackets
    assert bracket.filled()
    assert len(bracket._live_trials) == bracket._n0 == 9
    tune.add()
    assert len(tune.brackets) == 2


def test_a_bracket_does_not_wait_for_an_attempt_that_joins_another() -> None:
    tune = StubTune(9)
    for _ in range(10):
        tune.add()
    tune.fail(3)  # the tenth trial has begun the next bracket
    tune.get_trials()[-1].status = Trial.RUNNING
    tune.train()
    assert tune.reached(tune.brackets[0]) == (8, 2, 1)


@pytest.mark.parametrize("factor", [2, 2.5, 3, 4])
def test_rungs_rise_to_the_longest_training(factor: float) -> None:
    for max_epochs in range(1, 301):
        rungs = [rung(max_epochs, factor, halvings) for halvings in range(9, -1, -1)]
        there = [epochs for epochs in rungs if epochs]
        assert there[-1] == max_epochs
        assert all(lower < higher for lower, higher in pairwise(there))


def test_a_bracket_that_begins_with_one_epoch_is_one() -> None:
    """In floating point 729 * 3 ** -6 is less than 1, and Ray rounds it to 0."""
    assert rung(729, 3, 6) == 1
    assert rung(729, 3, 7) == 0


@pytest.mark.parametrize(("factor", "most"), [(2, 12), (3, 8), (4, 6), (10, 4)])
def test_the_first_bracket_is_the_one_that_begins_with_one_epoch(factor: int, most: int) -> None:
    for halvings in range(most + 1):
        length = factor**halvings
        assert most_halvings(length, factor) == halvings
        if length > factor:
            assert most_halvings(length - 1, factor) == halvings - 1
