"""What follows where a trial fails, or its checkpoint cannot be written. Nothing runs."""

from __future__ import annotations

import errno
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import tune
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

import pipelines.record.patience as waiting
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.table import trials_table
from pipelines.record.trials import State
from pipelines.record.writing import Record
from pipelines.tuner import deaths
from pipelines.tuner.algorithms import make_sampler
from pipelines.tuner.attempts import Attempt, AttemptError, Cause, pack
from pipelines.tuner.callback import StudyCallback
from pipelines.tuner.kept import KeptStates
from pipelines.tuner.ledger import TrialLedger
from pipelines.tuner.printed import Printed
from pipelines.tuner.raising import in_words
from pipelines.tuner.reports import Rules
from pipelines.tuner.samplers import Problem
from pipelines.tuner.searcher import StudySearcher
from pipelines.tuner.sources import SampledTrials
from pipelines.tuner.trial import StudyTrial, TrialSettings, report
from tests.pipelines.running import SPACE, Witness

NO_MEMORY = "1 worker(s) were killed due to the node running low on memory."
FULL = "its checkpoint cannot be written: /runs/x: No space left on device"


def test_a_checkpoint_that_cannot_be_written_is_no_fault_of_the_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(trial: tune.Trainable, folder: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/runs/x")

    monkeypatch.setattr(waiting, "PATIENCE", -1.0)
    monkeypatch.setattr(tune.Trainable, "save", full)
    with pytest.raises(AttemptError) as caught:
        StudyTrial.__new__(StudyTrial).save("/runs/x")
    assert (caught.value.cause, caught.value.error) == (Cause.STORAGE, FULL)


def test_a_process_that_ray_ends_for_its_memory_is_no_more_than_one_that_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[Exception] = []
    monkeypatch.setattr(deaths, "_handle", lambda manager, task, error: heard.append(error))
    known = RayTaskError("step", "trace", ValueError("no"))
    for error in (OutOfMemoryError(NO_MEMORY), known):
        RayActorManager._actor_task_failed(None, None, error)
    assert isinstance(heard[0], RayActorError)
    assert NO_MEMORY in str(heard[0])
    assert heard[1] is known


class Failing:
    """A search of several trials, of which the first ends with an error."""

    def __init__(self, folder: Path, error: Exception, *, beside: bool) -> None:
        sampler = make_sampler("random", Problem(SPACE, "min", max_trials=9), worst=0.0)
        self.searcher = StudySearcher(SampledTrials(sampler, 9, seed=0), lambda: 4)
        self.ledger = TrialLedger(Rules("val_loss", trials=9))
        self.witness = Witness()
        files, goals = RunFiles(folder), Goals((Aim("val_loss", "min"),))
        self.record = Record(files, files.journal, SPACE, goals)
        callback = StudyCallback(
            self.ledger,
            record=self.record,
            tell=lambda trial: None,
            observer=self.witness,
            searcher=self.searcher,
            live=None,  # type: ignore[arg-type]
            kept=KeptStates(str(folder)),
        )
        for name in "ab" if beside else "a":
            self.searcher.suggest(name)
        trial: Any = SimpleNamespace(
            trial_id="a",
            config=pack({"x": 0.5}, Attempt("a", out_of_memory=1)),
            placement_group_factory=SimpleNamespace(required_resources={}),
            temporary_state=SimpleNamespace(error=error),
        )
        callback.on_trial_start(0, [], trial)
        self.searcher.on_trial_complete("a", error=True)  # as Ray does, before
        callback.on_trial_error(0, [], trial)


def test_a_machine_that_is_short_of_memory_is_tried_with_fewer_until_one_is_alone(
    tmp_path: Path,
) -> None:
    error = RayActorError(error_msg=NO_MEMORY)
    several = Failing(tmp_path, error, beside=True)
    assert (several.witness.again, several.record.trials) == ([(Cause.NO_MEMORY, 0)], [])
    alone = Failing(tmp_path, error, beside=False)
    (trial,) = alone.record.trials
    assert (alone.witness.again, trial.state, trial.out_of_memory) == ([], State.FAIL, 1)
    assert several.searcher.slots == alone.searcher.slots == 1


def test_a_trial_whose_checkpoint_cannot_be_written_ends_the_search(tmp_path: Path) -> None:
    error = RayTaskError("save", "trace", AttemptError(Cause.STORAGE, FULL))
    full = Failing(tmp_path, error, beside=True)
    (trial,) = full.record.trials
    assert (trial.state, trial.stopped_by, trial.error) == (State.PRUNED, "storage", FULL)
    assert (full.ledger.reason, full.witness.again, full.searcher.slots) == ("storage", [], 4)


def test_an_error_with_half_of_a_character_is_written_all_the_same(tmp_path: Path) -> None:
    """As of a file whose name is no text."""
    with pytest.raises(AttemptError) as caught, in_words(Printed()):
        raise ValueError("caf\udce9.csv is no table")
    (trial,) = Failing(tmp_path, caught.value, beside=False).record.trials
    assert trial.error.startswith("ValueError: caf\\udce9.csv is no table")
    assert list(trials_table([trial])["error"]) == [trial.error]


def test_another_objective_that_is_not_yielded_is_named() -> None:
    settings = TrialSettings(iter, "val_loss", 3, 1.0, "/runs", "key", also=("val_mae",))
    missing = "no 'val_mae', but `also` or `require` asks for it: it yields val_loss"
    with pytest.raises(ValueError, match=missing):
        report({"val_loss": 1.0}, 1, settings)
    assert report({"val_loss": 1.0, "diverged": True}, 1, settings).diverged
    assert report({"val_loss": 1.0, "val_mae": math.inf}, 1, settings).diverged
