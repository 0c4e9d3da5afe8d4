"""The ledger's decisions: it gets numbers and answers save, try again, new best or stop. No trial
runs."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.record.goals import Aim, Requirement
from pipelines.record.trials import REQUIREMENT, FinishedTrial, State
from pipelines.tuner.attempts import Attempt, Cause
from pipelines.tuner.before import Before, Unfinished
from pipelines.tuner.ledger import (
    FAILURES_IN_A_ROW,
    LAST_SAVE,
    SAVE_EVERY,
    SAVE_EVERY_LEAVING,
    TrialLedger,
)
from pipelines.tuner.reports import Decision, Ended, Report, Rules
from trainables.training.metrics import METRICS

WORST = METRICS["val_accuracy"].worst


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Told:
    """A ledger that is told about trials, in as few words as possible."""

    def __init__(self, **rules: Any) -> None:
        self.clock = Clock()
        self.ledger = TrialLedger(
            Rules(**{"metric": "val_accuracy", "trials": 9, **rules}), self.clock
        )

    def start(self, trial: str, repeat_of: str = "", gpus: float = 0.0) -> None:
        self.ledger.start(Attempt(trial, repeat_of=repeat_of), {"lr": 0.1}, gpus)

    def report(self, trial: str, epoch: int, value: float, **more: Any) -> Decision:
        report = Report(epoch, value, {"val_accuracy": value, **more.pop("metrics", {})}, **more)
        return self.ledger.report(trial, report)

    def best(self, trial: str, epoch: int, value: float, **more: Any) -> float | None:
        new = self.report(trial, epoch, value, **more).new_best
        return None if new is None else new.value

    def diverge(self, trial: str, epoch: int) -> Decision:
        return self.report(trial, epoch, WORST, diverged=True, last=True)

    def fail(self, trial: str, cause: Cause = Cause.ERROR, checkpoint: str | None = None) -> Any:
        return self.ledger.fail(trial, cause, checkpoint, "RuntimeError: no luck")

    def end(self, trial: str) -> FinishedTrial:
        return self.ledger.end(trial).trial


def test_a_trial_from_start_to_end() -> None:
    told = Told()
    told.start("a")
    told.clock.now = 2.5
    told.report("a", 1, 0.5, node="10.0.0.1", metrics={"val_loss": 1.23456789})
    told.report("a", 2, 0.7, node="10.0.0.2", metrics={"val_loss": 1.0})
    told.report("a", 3, 0.6, node="10.0.0.2")
    trial = told.end("a")
    assert trial.state is State.COMPLETE
    assert (trial.value, trial.best_epoch, trial.epochs) == (0.7, 2, 3)
    assert trial.curve == {1: 0.5, 2: 0.7, 3: 0.6}
    assert trial.metrics == {"val_accuracy": 0.7, "val_loss": 1.0}
    assert trial.curves == {"val_accuracy": (0.5, 0.7, 0.6), "val_loss": (1.23457, 1.0, None)}
    assert (trial.node, trial.seconds) == ("10.0.0.1 10.0.0.2", 2.5)


def test_a_scheduler_prunes_what_would_have_gone_on() -> None:
    told = Told()
    told.start("a")
    told.report("a", 1, 0.5, last=True)
    told.ledger.stopped("a")
    assert (told.end("a").state, told.ledger.progress().stopped) == (State.PRUNED, 1)


# -- the best


def test_a_new_best_is_strictly_better_than_all_before() -> None:
    told = Told()
    told.start("a")
    told.start("b")
    assert told.best("a", 1, 0.5) == 0.5
    assert told.best("b", 1, 0.5) is None
    assert told.best("b", 2, 0.6) == 0.6
    assert told.best("a", 2, 0.55) is None
    assert told.ledger.progress().best == 0.6


def test_a_diverged_trial_is_never_a_best() -> None:
    told = Told()
    told.start("a")
    assert told.diverge("a", 1) == Decision(save=False, new_best=None)
    assert told.ledger.progress().best is None
    trial = told.end("a")
    assert trial.diverged
    assert (trial.value, trial.best_epoch) == (WORST, 1)


def test_what_a_diverged_trial_had_reached_no_longer_counts() -> None:
    told = Told()
    told.start("a")
    told.start("b")
    told.report("a", 1, 0.9)
    told.report("b", 1, 0.4)
    told.diverge("a", 2)
    assert told.ledger.progress().best == 0.4
    assert told.best("b", 2, 0.5) == 0.5


def test_what_a_failed_trial_had_reached_no_longer_counts() -> None:
    told = Told()
    told.start("a")
    told.start("b")
    told.report("b", 1, 0.4)
    told.report("a", 1, 0.9)
    told.fail("a")
    assert told.ledger.progress().best == 0.4


def test_what_the_history_has_beaten_is_no_new_best() -> None:
    told = Told(best_before=0.8)
    told.start("a")
    assert told.best("a", 1, 0.7) is None
    assert told.ledger.progress().best == 0.7  # of this run, nevertheless
    assert told.best("a", 2, 0.8) is None
    assert told.best("a", 3, 0.81) == 0.81


def test_where_less_is_better() -> None:
    told = Told(metric="val_loss", best_before=0.3)
    told.start("a")
    assert told.best("a", 1, 0.4) is None
    assert told.best("a", 2, 0.2) == 0.2


def test_a_change_of_the_config_begins_a_new_value() -> None:
    told = Told(size=lambda config: round(1000 * float(config["lr"])))
    told.start("a")
    told.report("a", 1, 0.9)
    changed = Report(2, 0.5, {"val_accuracy": 0.5})
    told.ledger.report("a", changed, {"lr": 0.2})
    trial = told.end("a")
    assert trial.n_parameters == 200
    assert (trial.config, trial.changes) == ({"lr": 0.2}, {2: {"lr": 0.2}})
    assert (trial.value, trial.best_epoch) == (0.5, 2)


# -- saving


def test_weights_are_saved_where_they_may_be_the_best() -> None:
    told = Told()
    told.start("a")
    assert told.report("a", 1, 0.5, has_weights=True).save
    assert not told.report("a", 2, 0.5, has_weights=True).save
    assert told.report("a", 3, 0.6, has_weights=True).save
    assert not told.report("a", 4, 0.7, has_weights=False).save
    told.ledger.saved("a")
    assert told.ledger.end("a").keep_weights
    told.start("b")
    assert not told.report("b", 1, 0.65, has_weights=True).save  # worse than a trial that has ended
    assert told.report("b", 2, 0.75, has_weights=True).save
    told.ledger.saved("b")
    assert told.ledger.end("b").keep_weights


def test_the_weights_of_a_worse_trial_are_not_kept() -> None:
    told = Told()
    for trial, value in (("a", 0.9), ("b", 0.5)):
        told.start(trial)
        told.report(trial, 1, value)
    assert told.ledger.end("a").keep_weights
    assert not told.ledger.end("b").keep_weights


def test_of_repeats_the_best_of_each_config_is_kept() -> None:
    told = Told()
    kept = []
    for trial, of, value in (("1", "a", 0.9), ("2", "a", 0.8), ("3", "b", 0.5), ("4", "b", 0.6)):
        told.start(trial, repeat_of=of)
        assert told.report(trial, 1, value, has_weights=True).save == (trial != "2")
        told.ledger.saved(trial)
        ended = told.ledger.end(trial)
        assert ended.trial.repeat_of == of
        kept += [trial] * ended.keep_weights
    assert kept == ["1", "3", "4"]


@pytest.mark.parametrize(("leaving", "every"), [(False, SAVE_EVERY), (True, SAVE_EVERY_LEAVING)])
def test_a_trial_is_saved_now_and_then_to_go_on_from(leaving: bool, every: float) -> None:
    told = Told()
    told.start("a")
    told.clock.now = every
    assert not told.report("a", 1, 0.5, leaving=leaving).save
    told.clock.now = every + 0.1
    assert told.report("a", 2, 0.4, leaving=leaving).save
    told.ledger.saved("a")
    assert not told.report("a", 3, 0.4, leaving=leaving).save
    told.clock.now = 2 * every + 0.2
    assert not told.report("a", 4, 0.4, leaving=leaving, last=True).save  # no epoch follows


# -- another attempt


def test_another_attempt_goes_on_from_the_last_checkpoint() -> None:
    told = Told(max_failures=1)
    told.start("a")
    told.report("a", 1, 0.5)
    told.report("a", 2, 0.6)
    told.ledger.saved("a")
    told.report("a", 3, 0.9)
    config, again = told.fail("a", checkpoint="at/2")
    assert (config, again) == ({"lr": 0.1}, Attempt("a", checkpoint="at/2", failures=1))
    assert told.ledger.epochs_of("a") == 2
    told.ledger.start(again, config)
    told.report("a", 3, 0.7)
    trial = told.end("a")
    assert (trial.curve, trial.value, trial.failures) == ({1: 0.5, 2: 0.6, 3: 0.7}, 0.7, 1)


def test_an_attempt_that_ends_before_its_own_checkpoint_goes_on_from_the_one_before() -> None:
    told = Told(max_failures=2)
    told.start("a")
    told.report("a", 1, 0.5)
    told.ledger.saved("a")
    _, again = told.fail("a", checkpoint="at/1")
    told.ledger.start(again, {"lr": 0.1})
    _, third = told.fail("a", checkpoint=None)
    assert third.checkpoint == "at/1"


def test_a_lost_machine_costs_no_failure_and_is_counted() -> None:
    told = Told(max_failures=0)
    told.start("a")
    told.report("a", 1, 0.5)
    _, again = told.fail("a", Cause.LOST)
    assert again.machines_lost == 1
    told.ledger.start(again, {"lr": 0.1})
    told.report("a", 1, 0.5)
    trial = told.end("a")
    assert (trial.machines_lost, trial.failures) == (1, 0)


def test_a_trial_that_may_not_be_tried_again_has_failed() -> None:
    told = Told()
    told.start("a", gpus=0.25)
    outcome = told.fail("a")
    assert isinstance(outcome, Ended)
    assert outcome.trial.state is State.FAIL
    assert (outcome.trial.error, outcome.trial.gpus) == ("RuntimeError: no luck", 0.25)
    assert told.ledger.running == ()


def test_a_checkpoint_that_cannot_be_written_ends_the_study_and_fails_no_trial() -> None:
    told = Told(max_failures=9)
    told.start("a")
    told.report("a", 1, 0.5)
    trial = told.fail("a", Cause.STORAGE).trial
    assert (trial.state, trial.stopped_by, trial.value) == (State.PRUNED, "storage", 0.5)
    assert (told.ledger.reason, told.ledger.running) == ("storage", ())


def test_memory_that_was_too_small_is_doubled() -> None:
    told = Told()
    told.start("a", gpus=0.25)
    _, again = told.fail("a", Cause.OUT_OF_MEMORY)
    assert again.gpus == 0.5


def test_a_trial_hangs_by_what_the_others_need_for_an_epoch() -> None:
    told = Told()
    told.start("a")
    told.start("b")
    told.clock.now = 10_000.0
    assert not told.ledger.is_hung("a")  # nobody knows yet how long an epoch takes
    told.ledger.heard("b")
    told.clock.now += 10
    told.report("b", 1, 0.5)
    assert told.ledger.is_hung("a")
    told.ledger.heard("a")  # for example its next attempt
    told.clock.now += 290
    assert not told.ledger.is_hung("a")
    told.clock.now += 20
    assert told.ledger.is_hung("a")
    told.report("b", 2, 0.5)  # that took 310 s
    assert not told.ledger.is_hung("a")


def test_a_trial_hangs_after_the_time_that_is_given() -> None:
    told = Told(trial_timeout=5.0)
    told.start("a")
    told.clock.now = 4.0
    told.report("a", 1, 0.5)
    told.clock.now = 8.0
    assert not told.ledger.is_hung("a")
    told.clock.now = 10.0
    assert told.ledger.is_hung("a")
    assert told.fail("a", Cause.HUNG).trial.state is State.FAIL


def test_no_trial_hangs_because_the_driver_was_away() -> None:
    told = Told(trial_timeout=5.0)
    told.start("a")
    told.clock.now = 4.0
    told.start("b")
    told.clock.now = 13.0
    told.ledger.was_away(9.0)
    assert not told.ledger.is_hung("a")
    told.clock.now = 15.0
    assert told.ledger.is_hung("a")
    assert not told.ledger.is_hung("b")
    told.clock.now = 19.0
    told.start("c")
    told.ledger.was_away(4.0)  # it has started at the end of that time
    told.clock.now = 25.0
    assert told.ledger.is_hung("c")


# -- the end of the study


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


def test_progress_counts_ends_by_kind() -> None:
    told = Told()
    for trial in "abcd":
        told.start(trial)
        told.report(trial, 1, 0.5)
    told.ledger.stopped("a")
    told.end("a")
    told.diverge("b", 2)
    told.end("b")
    told.fail("c")
    progress = told.ledger.progress(paused=1)
    assert (progress.total, progress.finished, progress.running) == (9, 3, 0)
    assert (progress.stopped, progress.diverged, progress.failed) == (1, 1, 1)


@pytest.mark.parametrize("diverged", [False, True])
def test_clues_come_from_the_curves_of_both_losses(diverged: bool) -> None:
    told = Told(chance_loss=2.3)
    told.start("a")
    for epoch in range(1, 7):
        losses = {"train_loss": 2.3, "val_loss": 2.3}
        told.report("a", epoch, 0.1, metrics=losses, diverged=diverged and epoch == 6)
    assert told.end("a").clue == ("lr too large" if diverged else "lr too small")


def test_without_both_losses_there_is_no_clue() -> None:
    told = Told()
    told.start("a")
    for epoch in range(1, 9):
        told.report("a", epoch, 0.1, metrics={"train_loss": 2.3})
    assert told.end("a").clue == ""


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


def test_the_state_of_the_best_is_kept_to_train_on() -> None:
    told = Told(keep=2)
    kept, dropped = [], []
    for name, value in zip("abcd", (0.5, 0.7, 0.6, 0.1), strict=True):
        told.start(name)
        decision = told.report(name, 1, value, has_state=True, last=True)
        told.ledger.saved(name)
        ended = told.ledger.end(name)
        assert decision.save == ended.keep_state
        kept.append(ended.keep_state)
        dropped.append([trial.trial_id for trial in ended.drop_states])
    assert kept == [True, True, True, False]
    assert dropped == [[], [], ["a"], ["d"]]


def test_an_epoch_that_breaks_a_requirement_is_not_the_best() -> None:
    told = Told(requirements=(Requirement("val_loss", "<", 1.0),))
    told.start("a")
    assert told.best("a", 1, 0.9, metrics={"val_loss": 2.0}) is None
    assert told.ledger.progress().best is None
    assert told.best("a", 2, 0.5, metrics={"val_loss": 0.5}) == 0.5
    assert told.best("a", 3, 0.95, metrics={"val_loss": 1.0}) is None
    trial = told.end("a")
    assert (trial.value, trial.best_epoch, trial.broken) == (0.5, 2, "")
    told.start("b")
    told.report("b", 1, 0.99, metrics={"val_loss": 3.0}, has_weights=True)
    ended = told.ledger.end("b")
    assert (ended.trial.value, ended.trial.broken) == (0.99, "val_loss<1")
    assert not ended.keep_weights
    assert told.ledger.progress().best == 0.5
    assert told.ledger.progress().infeasible == 1


def test_a_target_that_is_reached_by_breaking_a_requirement_is_not() -> None:
    told = Told(requirements=(Requirement("val_loss", "<", 1.0),), target_value=0.9)
    told.start("a")
    told.report("a", 1, 0.95, metrics={"val_loss": 2.0})
    assert not told.ledger.is_over()
    told.report("a", 2, 0.91, metrics={"val_loss": 0.2})
    assert told.ledger.is_over()


def test_a_trial_that_takes_too_long_is_no_longer_the_best() -> None:
    told = Told(requirements=(Requirement("seconds", "<", 10.0),))
    told.start("a")
    told.start("b")
    told.clock.now = 5.0
    assert told.best("a", 1, 0.9) == 0.9
    assert told.best("b", 1, 0.8) is None
    told.clock.now = 12.0
    told.end("b")  # it was too slow as well
    told.report("a", 2, 0.95)
    assert told.ledger.progress().best is None
    assert told.end("a").broken == "seconds<10"


def test_a_trial_that_takes_too_long_is_hopeless_and_one_that_may_take_longer_is_not() -> None:
    told = Told(requirements=(Requirement("seconds", "<=", 10.0),))
    told.start("a")
    assert not told.report("a", 1, 0.9).hopeless
    told.clock.now = 10.5
    assert told.report("a", 2, 0.9).hopeless
    told.ledger.stopped("a", REQUIREMENT)
    trial = told.end("a")
    assert (trial.state, trial.stopped_by, trial.broken) == (
        State.PRUNED,
        "requirement",
        "seconds<=10",
    )
    assert not trial.untrained
    assert not trial.cut_short
    longer = Told(requirements=(Requirement("seconds", ">", 10.0),))
    longer.start("a")
    assert not longer.report("a", 1, 0.9).hopeless


def test_of_equal_scores_the_better_in_the_further_objectives_is_kept() -> None:
    sizes = {0.1: 300, 0.2: 200, 0.3: 400}
    told = Told(also=(Aim("n_parameters", "min"),), size=lambda config: sizes[float(config["lr"])])
    kept = []
    for name, lr in (("a", 0.1), ("b", 0.2), ("c", 0.3)):
        told.ledger.start(Attempt(name), {"lr": lr})
        assert told.report(
            name, 1, 0.5, has_weights=True
        ).save  # its weights may be the ones to keep
        told.ledger.saved(name)
        kept.append(told.ledger.end(name).keep_weights)
    assert kept == [True, True, False]
    assert told.ledger.incumbent is not None
    assert told.ledger.incumbent.trial_id == "b"
    told.ledger.start(Attempt("d"), {"lr": 0.3})
    assert not told.report("d", 1, 0.4, has_weights=True).save


def test_a_network_that_is_too_large_is_counted_and_not_trained() -> None:
    told = Told(requirements=(Requirement("n_parameters", "<", 100.0),), size=lambda config: 100)
    ended = told.ledger.not_trained(Attempt("a"), {"lr": 0.1})
    assert ended is not None
    assert (ended.trial.state, ended.trial.stopped_by) == (State.PRUNED, REQUIREMENT)
    assert (ended.trial.n_parameters, ended.trial.broken) == (100, "n_parameters<100")
    assert not ended.trial.cut_short
    progress = told.ledger.progress()
    assert (progress.finished, progress.infeasible, progress.best) == (1, 1, None)
    small = Told(requirements=(Requirement("n_parameters", "<", 101.0),), size=lambda config: 100)
    assert small.ledger.not_trained(Attempt("a"), {"lr": 0.1}) is None
