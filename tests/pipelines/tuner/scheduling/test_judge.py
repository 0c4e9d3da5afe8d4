"""Trials that Ray does not know are stopped by the same rules as Ray's own trials."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from ray.tune.schedulers import TrialScheduler

from pipelines.record.events import Asked, Ended, Event, Reported
from pipelines.record.trials import FinishedTrial, State
from pipelines.tuner.ledger.before import Before
from pipelines.tuner.rebuilding import tell_again
from pipelines.tuner.scheduling.judge import Judge, quantile
from pipelines.tuner.scheduling.schedulers import SCHEDULERS, StoppingRules
from search_spaces import Config

RULES = StoppingRules(metric="val_accuracy", mode="max", max_epochs=27)
IN_SEQUENCE = [name for name, scheduler in SCHEDULERS.items() if not scheduler.pauses]


@dataclass(frozen=True)
class StubTrial:
    trial_id: str
    config: dict[str, Any] = field(default_factory=dict, compare=False)


def curves(n: int) -> list[list[float]]:
    drawn = random.Random(0)
    return [[drawn.random() * epoch for epoch in range(1, 28)] for _ in range(n)]


def judged(name: str) -> list[int]:
    """The epoch at which each of several trials in sequence is stopped; 27 if it is not stopped."""
    judge = Judge(SCHEDULERS[name].make(RULES), RULES.metric)
    ends = []
    for n, curve in enumerate(curves(60)):
        judge.start(str(n), {})
        end = next((e for e, v in enumerate(curve, 1) if judge.stops(str(n), e, v)), 27)
        judge.end(str(n))
        ends.append(end)
    return ends


def told_by_ray(name: str) -> list[int]:
    """The same, if the scheduler is told each epoch once."""
    scheduler: Any = SCHEDULERS[name].make(RULES)
    ends = []
    for n, curve in enumerate(curves(60)):
        trial = StubTrial(str(n))
        scheduler.on_trial_add(None, trial)
        end = 27
        for epoch, value in enumerate(curve, 1):
            result = {"epoch": epoch, RULES.metric: value}
            if scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP:
                end = epoch
                break
        ends.append(end)
    return ends


@pytest.mark.parametrize("name", IN_SEQUENCE)
def test_the_decisions_are_rays(name: str) -> None:
    ends = judged(name)
    assert ends == told_by_ray(name)
    assert (min(ends) < 27) == (name != "none")


@pytest.mark.parametrize("name", IN_SEQUENCE)
def test_nobody_is_stopped_between_two_decisions(name: str) -> None:
    decides = partial(SCHEDULERS[name].decides, RULES)
    assert all(end == 27 or decides({}, end) for end in judged(name))


def test_asha_decides_at_its_rungs_alone() -> None:
    decides = partial(SCHEDULERS["asha"].decides, RULES)
    assert [epoch for epoch in range(1, 27) if decides({}, epoch)] == [1, 3, 9]


def test_the_median_rule_counts_the_last_epoch_of_a_trial_once() -> None:
    """The running means at epoch 3 are 0.4, not 0.525 as with a second 0.9."""
    judge = Judge(SCHEDULERS["median"].make(RULES), RULES.metric)
    for name in ("a", "b", "c"):
        judge.start(name, {})
        assert not any(judge.stops(name, e, v) for e, v in enumerate((0.0, 0.3, 0.9), 1))
        judge.end(name)
    judge.start("above", {})
    assert not any(judge.stops("above", epoch, 0.5) for epoch in (1, 2, 3))
    judge.start("below", {})
    assert [judge.stops("below", epoch, 0.35) for epoch in (1, 2, 3)] == [False, False, True]


def test_the_median_rule_averages_from_the_grace_period_on() -> None:
    """The running means at epoch 3 are 0.6, the mean of epochs 2 and 3. With epoch 1, they would be
    0.4."""
    judge = Judge(SCHEDULERS["median"].make(replace(RULES, grace_period=2)), RULES.metric)
    for name in ("a", "b", "c"):
        judge.start(name, {})
        assert not any(judge.stops(name, e, v) for e, v in enumerate((0.0, 0.3, 0.9), 1))
        judge.end(name)
    judge.start("between", {})
    assert [judge.stops("between", epoch, 0.5) for epoch in (1, 2, 3)] == [False, False, True]


def test_a_trial_may_have_gone_on_where_the_rule_would_stop_it_now() -> None:
    """As in a record of an older version, which counted the last epoch of a trial twice."""
    judge = Judge(SCHEDULERS["median"].make(RULES), RULES.metric)
    for name in ("a", "b", "c"):
        judge.start(name, {})
        assert not any(judge.stops(name, epoch, 0.9) for epoch in (1, 2, 3))
        judge.end(name)
    judge.start("it", {})
    for epoch in (1, 2, 3):
        judge.hears("it", epoch, 0.1)
    judge.end("it")
    judge.start("below", {})
    assert judge.stops("below", 1, 0.05)


def test_a_trial_that_ends_within_a_cycle_is_not_entered_in_a_rung() -> None:
    judge = Judge(SCHEDULERS["aligned_asha"].make(RULES), RULES.metric)
    judge.start("diverges later", {"policy": "triangular", "step_size": 4})
    assert not any(judge.stops("diverges later", epoch, 0.9) for epoch in (1, 2, 3))
    judge.end("diverges later")
    [rungs] = rungs_of(judge)
    assert not any(recorded for _, recorded in rungs)


def test_another_attempt_is_the_same_trial() -> None:
    judge = Judge(SCHEDULERS["asha"].make(RULES), RULES.metric)
    for n in range(3):
        judge.start(str(n), {})
        judge.stops(str(n), 1, 0.9)
        judge.end(str(n))
    judge.start("again", {})
    judge.fail("again")
    judge.start("again", {})
    assert judge.stops("again", 1, 0.1)


def test_told_again_a_judge_has_the_same_rungs() -> None:
    """Trials skip rungs because their cycles end at other epochs."""
    judge, again = (Judge(SCHEDULERS["aligned_asha"].make(RULES), RULES.metric) for _ in range(2))
    events: list[Event] = []
    entries = []
    for n, curve in enumerate(curves(60)):
        name = str(n)
        config: Config = {"policy": "triangular", "step_size": 1 + n % 4}
        events.append(Asked(0, name, config, seed=0))
        judge.start(name, config)
        end = next((e for e, v in enumerate(curve, 1) if judge.stops(name, e, v)), 27)
        judge.end(name)
        reported = dict(enumerate(curve[:end], 1))
        events += [Reported(0, name, reported), Ended(0, name)]
        entries.append(FinishedTrial(name, config, State.PRUNED, curve=reported))
    tell_again(again, Before(events=events, entries=entries))
    assert rungs_of(again) == rungs_of(judge)


def rungs_of(judge: Judge) -> list[Any]:
    return [bracket._rungs for bracket in judge._brackets]


def test_what_asha_asks_is_numpys_percentile() -> None:
    rng = np.random.default_rng(0)
    assert quantile(0.5, {}) is None
    for n in (*range(1, 60), 1000):
        for rewards in (rng.normal(size=n), rng.integers(0, 4, n) / 4):
            recorded = {str(place): float(reward) for place, reward in enumerate(rewards)}
            for factor in (2, 3, 4.5):
                share = 1 - 1 / factor
                expected = np.nanpercentile(list(recorded.values()), share * 100)
                assert quantile(share, recorded) == expected
