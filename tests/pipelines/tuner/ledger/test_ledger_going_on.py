"""The ledger of a study that goes on, and of trials that train longer."""

from __future__ import annotations

from typing import Any

from pipelines.record.goals import Requirement
from pipelines.record.trials import REQUIREMENT, FinishedTrial, State
from pipelines.tuner.attempts import Attempt, Cause
from pipelines.tuner.ledger.before import Before, Unfinished
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.reports import Ended, Report, Rules
from tests.pipelines.tuner.ledger.told import WORST, Clock


def test_a_study_that_goes_on_counts_what_was_before() -> None:
    ended = [
        FinishedTrial("a", {"lr": 0.1}, State.COMPLETE, {1: 0.7}, 0.7, 1),
        FinishedTrial("b", {"lr": 0.2}, State.PRUNED, {1: 0.2}, 0.2, 1, "scheduler"),
        FinishedTrial("c", {"lr": 0.3}, State.PRUNED, {1: 0.6}, 0.6, 1, "interrupt"),
    ]
    metrics = {1: {"val_accuracy": 0.6}}
    running = Unfinished(Attempt("c"), {"lr": 0.3}, 50.0, 50.0, 30.0, metrics, resumed=1)
    clock = Clock()
    before = Before(entries=ended, unfinished=[running], seconds=100.0)
    rules = Rules(metric="val_accuracy", trials=3, time_budget=120.0)
    ledger = TrialLedger(rules, clock, before)
    progress = ledger.progress()
    assert (progress.finished, progress.stopped, progress.best) == (2, 1, 0.7)
    assert (progress.seconds, progress.running) == (100.0, 0)
    ledger.start(Attempt("c"), {"lr": 0.3})
    assert not ledger.report("c", Report(2, 0.65, {"val_accuracy": 0.65}, has_weights=True)).save
    decision = ledger.report("c", Report(3, 0.8, {"val_accuracy": 0.8}, has_weights=True))
    assert decision.save
    assert decision.new_best is not None
    ledger.saved("c")
    clock.now = 15.0
    trial = ledger.end("c").trial
    assert (trial.curve, trial.resumed) == ({1: 0.6, 2: 0.65, 3: 0.8}, 1)
    assert (trial.started, trial.seconds) == (50.0, 45.0)
    assert not ledger.is_over()
    clock.now = 21.0
    assert ledger.is_over()
    assert ledger.reason == "time budget"


def test_a_trial_whose_checkpoint_is_damaged_starts_anew() -> None:
    metrics = {1: {"val_accuracy": 0.6}, 2: {"val_accuracy": 0.5}}
    attempt = Attempt("a", checkpoint="at/2")
    running = Unfinished(attempt, {"lr": 0.1}, 50.0, 50.0, 30.0, metrics, planned={1: 2, 3: 5})
    rules = Rules(metric="val_accuracy", trials=1)
    ledger = TrialLedger(rules, Clock(), Before(unfinished=[running]))
    ledger.start(attempt, {"lr": 0.1})
    assert ledger.fail("a", Cause.DAMAGED, "at/2", "damaged") == ({"lr": 0.1}, Attempt("a"))
    assert ledger.epochs_of("a") == 0
    ledger.start(Attempt("a"), {"lr": 0.1})
    decision = ledger.report("a", Report(1, 0.6, {"val_accuracy": 0.6}, has_weights=True))
    assert decision.save  # the weights of before are gone
    assert ledger.since_saved("a") == {1: {"val_accuracy": 0.6}}
    trial = ledger.end("a").trial
    assert (trial.curve, trial.best_epoch, trial.failures, trial.planned) == ({1: 0.6}, 1, 0, {})


def trained_on(**more: Any) -> TrialLedger:
    """A ledger of a study that goes on with a trial which had ended with 0.7."""
    earlier = FinishedTrial("a", {"lr": 0.1}, State.COMPLETE, {1: 0.7}, 0.7, 1, seconds=10.0)
    other = FinishedTrial("b", {"lr": 0.2}, State.COMPLETE, {1: 0.6}, 0.6, 1)
    longer = Unfinished(
        Attempt("a", checkpoint="there"),
        {"lr": 0.1},
        50.0,
        60.0,
        earlier.seconds,
        {1: {"val_accuracy": 0.7}},
        planned={1: 1, 2: 5},
    )
    before = Before(entries=[other, earlier], unfinished=[longer])
    ledger = TrialLedger(Rules(metric="val_accuracy", trials=2, **more), Clock(), before)
    assert ledger.progress().best == 0.7
    ledger.start(Attempt("a", checkpoint="there"), {"lr": 0.1})
    decision = ledger.report("a", Report(2, 0.8, {"val_accuracy": 0.8}, has_weights=True))
    assert decision.new_best is not None
    assert ledger.progress().best == 0.8
    return ledger


def assert_is_back(ledger: TrialLedger, ended: Ended, why: str) -> None:
    """What the trial had reached before counts again."""
    trial = ended.trial
    assert (trial.value, trial.curve, trial.seconds) == (0.7, {1: 0.7}, 10.0)
    assert (trial.state, trial.stopped_by, trial.broken) == (State.COMPLETE, "", "")
    assert trial.error == f"its longer training {why}; that of 1 epoch counts"
    assert trial.planned == {1: 1, 2: 5}
    assert not ended.keep_weights
    assert [t.trial_id for t in ended.drop_states] == ["a"]
    progress = ledger.progress()
    assert (progress.best, progress.finished, progress.failed) == (0.7, 2, 0)


def test_a_trial_whose_longer_training_fails_keeps_what_it_had_reached() -> None:
    ledger = trained_on()
    ended = ledger.fail("a", Cause.ERROR, None, "RuntimeError: no luck")
    assert isinstance(ended, Ended)
    assert_is_back(ledger, ended, "failed (RuntimeError: no luck)")


def test_a_trial_whose_kept_state_is_damaged_keeps_what_it_had_reached() -> None:
    ledger = trained_on()
    ended = ledger.fail("a", Cause.DAMAGED, "there", "its checkpoint is damaged")
    assert isinstance(ended, Ended)
    assert_is_back(ledger, ended, "failed (its checkpoint is damaged)")


def test_a_trial_whose_longer_training_diverges_keeps_what_it_had_reached() -> None:
    ledger = trained_on()
    ledger.report("a", Report(3, WORST, {"val_accuracy": WORST}, diverged=True, last=True))
    assert_is_back(ledger, ledger.end("a"), "diverged in epoch 3")


def test_a_trial_whose_longer_training_takes_too_long_keeps_what_it_had_reached() -> None:
    ledger = trained_on(requirements=(Requirement("seconds", "<", 30.0),))
    ledger._clock.now = 25.0  # type: ignore[attr-defined]
    assert ledger.report("a", Report(3, 0.9, {"val_accuracy": 0.9})).hopeless
    ledger.stopped("a", REQUIREMENT)
    assert_is_back(ledger, ledger.end("a"), "broke seconds<30")


def test_a_trial_whose_longer_training_is_cut_short_may_go_on_from_its_earlier_state() -> None:
    ledger = trained_on()
    ledger.request("interrupt")
    (ended,) = ledger.cut_short()
    assert (ended.trial.value, ended.drop_states) == (0.8, ())
    assert [t.trial_id for t in trained_on().end("a").drop_states] == ["a"]


def test_a_trial_that_goes_on_is_a_new_best_only_above_what_it_had_reached() -> None:
    metrics = {1: {"val_accuracy": 0.8}}
    running = Unfinished(Attempt("a"), {"lr": 0.1}, 50.0, 50.0, 30.0, metrics)
    rules = Rules(metric="val_accuracy", trials=2)
    ledger = TrialLedger(rules, Clock(), Before(unfinished=[running]))
    ledger.start(Attempt("a"), {"lr": 0.1})
    assert ledger.progress().best == 0.8
    for epoch, value, new in ((2, 0.5, None), (3, 0.6, None), (4, 0.9, 0.9)):
        decision = ledger.report("a", Report(epoch, value, {"val_accuracy": value}))
        assert (decision.new_best and decision.new_best.value) == new
