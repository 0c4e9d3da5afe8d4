"""Trials that break a requirement never win."""

from __future__ import annotations

from pipelines.record.goals import Requirement
from pipelines.record.trials import REQUIREMENT, State
from pipelines.tuner.attempts import Attempt
from tests.pipelines.tuner.ledger.told import Told


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
