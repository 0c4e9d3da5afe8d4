"""Why and when the ledger ends a study."""

from __future__ import annotations

from pipelines.tuner.ledger.ending import FAILURES_IN_A_ROW, LAST_SAVE
from tests.pipelines.tuner.ledger.told import Told
from trainables.training.metrics import METRICS


def test_a_target_value_ends_the_study() -> None:
    told = Told(target_value=0.8)
    told.start("a")
    told.report("a", 1, 0.79)
    assert not told.ledger.is_over()
    told.report("a", 2, 0.8)
    assert told.ledger.is_over()
    assert told.ledger.reason == "target value"


def test_a_diverged_trial_reaches_no_target() -> None:
    told = Told(metric="val_loss", target_value=METRICS["val_loss"].worst)
    told.start("a")
    told.report("a", 1, METRICS["val_loss"].worst, diverged=True)
    assert not told.ledger.is_over()


def test_a_time_budget_ends_the_study() -> None:
    told = Told(time_budget=60.0)
    told.clock.now = 60.0
    assert not told.ledger.is_over()
    told.clock.now = 60.1
    assert told.ledger.is_over()
    assert told.ledger.reason == "time budget"


def test_the_study_waits_for_a_checkpoint_under_way() -> None:
    told = Told()
    told.start("a")
    told.report("a", 1, 0.5, has_weights=True)
    told.ledger.request("interrupt")
    assert not told.ledger.is_over()
    told.ledger.saved("a")
    assert told.ledger.is_over()


def test_a_checkpoint_that_failed_is_not_waited_for() -> None:
    told = Told()
    told.start("a")
    told.report("a", 1, 0.5, has_weights=True)
    told.fail("a")
    told.ledger.request("interrupt")
    assert told.ledger.is_over()


def test_trainables_that_only_fail_end_the_study() -> None:
    told = Told()
    for n in range(FAILURES_IN_A_ROW):
        assert not told.ledger.is_over()
        told.start(str(n))
        told.fail(str(n))
    assert told.ledger.is_over()
    assert told.ledger.reason == "failures"


def test_a_trial_that_ended_before_keeps_failures_from_ending_it() -> None:
    told = Told()
    told.start("sound")
    told.end("sound")
    for n in range(2 * FAILURES_IN_A_ROW):
        told.start(str(n))
        told.fail(str(n))
    assert not told.ledger.is_over()


def test_the_first_reason_stands() -> None:
    told = Told()
    told.ledger.request("interrupt")
    told.ledger.request("time budget")
    assert told.ledger.reason == "interrupt"


def test_trials_cut_short_keep_what_they_have_reached() -> None:
    told = Told()
    told.start("a", gpus=0.5)
    told.report("a", 1, 0.5)
    told.start("never reported")
    told.ledger.request("interrupt")
    (ended,) = told.ledger.cut_short()
    assert (ended.trial.stopped_by, ended.trial.value) == ("interrupt", 0.5)
    assert (ended.trial.gpus, ended.keep_weights) == (0.5, True)
    assert told.ledger.running == ()


def test_a_study_that_is_to_end_waits_for_a_last_save_of_each_trial() -> None:
    told = Told(saves_last=True)
    told.start("a")
    told.start("b")
    told.ledger.request("interrupt")
    assert not told.ledger.is_over()
    assert told.report("a", 1, 0.5).save
    told.ledger.saved("a")
    assert not told.report("a", 2, 0.4).save  # once is enough
    assert not told.ledger.is_over()
    told.clock.now = LAST_SAVE + 0.1  # the epoch of the other takes too long
    assert told.ledger.is_over()
