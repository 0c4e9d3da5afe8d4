"""The ledger's decisions: it gets numbers and answers save, try again, new best or stop. No trial
runs."""

from __future__ import annotations

import pytest

from pipelines.record.goals import Aim
from pipelines.record.trials import State
from pipelines.tuner.attempts import Attempt, Cause
from pipelines.tuner.ledger.ledger import SAVE_EVERY, SAVE_EVERY_LEAVING
from pipelines.tuner.ledger.reports import Decision, Ended, Report
from tests.pipelines.tuner.ledger.told import WORST, Told


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


def test_of_equal_scores_the_state_of_the_one_with_the_lower_validation_loss_is_kept() -> None:
    """It takes the place of another: if it were not kept itself, there would be one state less."""
    told = Told(keep=1)
    kept, dropped = [], []
    for name, loss in (("a", 0.5), ("b", 0.3), ("c", 0.4)):
        told.start(name)
        decision = told.report(name, 1, 1.0, metrics={"val_loss": loss}, has_state=True, last=True)
        ended = told.ledger.end(name)
        assert decision.save == ended.keep_state
        kept.append(ended.keep_state)
        dropped.append([trial.trial_id for trial in ended.drop_states])
    assert kept == [True, True, False]
    assert dropped == [[], ["a"], ["c"]]


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


def test_of_equal_scores_the_one_with_the_lower_validation_loss_is_kept() -> None:
    told = Told()
    kept, saved = [], []
    for name, loss in (("a", 0.5), ("b", 0.3), ("c", 0.4)):
        told.start(name)
        saved.append(told.report(name, 1, 0.9, metrics={"val_loss": loss}, has_weights=True).save)
        told.ledger.saved(name)
        kept.append(told.ledger.end(name).keep_weights)
    assert saved == kept == [True, True, False]


def test_of_equal_epochs_of_a_trial_the_one_with_the_lowest_validation_loss_is_the_best() -> None:
    told = Told()
    told.start("a")
    saved = [
        told.report("a", n, 0.9, metrics={"val_loss": loss}, has_weights=True).save
        for n, loss in enumerate((0.5, 0.3, 0.4), start=1)
    ]
    assert saved == [True, True, False]
    assert told.end("a").best_epoch == 2
