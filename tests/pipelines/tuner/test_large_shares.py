"""A trial that ran out of GPU memory gets a larger share: how it is reserved and used."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.writing import Record
from pipelines.tuner.adapters.callback import Machines
from pipelines.tuner.adapters.in_sequence import InSequence
from pipelines.tuner.adapters.searcher import StudySearcher
from pipelines.tuner.attempts import Attempt, pack, unpack
from pipelines.tuner.checkpoints import Checkpoints
from pipelines.tuner.epoch_reports import (
    FINISHED,
    HAS_STATE,
    HAS_WEIGHTS,
    NOTICE,
    REPORTS,
    EpochReport,
)
from pipelines.tuner.kept import KeptStates
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.reports import Rules
from pipelines.tuner.sampling.algorithms import make_sampler
from pipelines.tuner.sampling.samplers import Problem
from pipelines.tuner.scheduling.judge import Judge
from pipelines.tuner.scheduling.schedulers import SCHEDULERS, StoppingRules
from pipelines.tuner.sources import SampledTrials
from pipelines.tuner.worker.reserved import reserved
from tests.pipelines.running import SPACE, Witness

LARGE = Attempt("large", gpus=0.5)


def make_searcher() -> StudySearcher:
    sampler = make_sampler("random", Problem(SPACE, "min", max_trials=9), worst=0.0)
    return StudySearcher(SampledTrials(sampler, 9, seed=0), lambda: 4)


@pytest.mark.parametrize(("gpus", "share"), [(None, 0.25), (0.5, 0.5), (0.125, 0.25)])
def test_the_larger_share_is_reserved(gpus: float | None, share: float) -> None:
    config = pack({"x": 0.5}, Attempt("a", gpus=gpus))
    assert reserved(1.0, lambda: 0.25, config).required_resources == {"CPU": 1.0, "GPU": share}


def test_a_process_that_is_there_takes_no_attempt_that_needs_more() -> None:
    searcher = make_searcher()
    assert isinstance(searcher.suggest("a"), dict)
    searcher.try_again({"x": 0.5}, LARGE)
    following = searcher.following("b")
    assert following is not None
    assert following[1].trial_id == "b"
    packed = searcher.suggest("c")  # in its own process
    assert isinstance(packed, dict)
    assert unpack(packed) == ({"x": 0.5}, LARGE)


@pytest.mark.parametrize(("gpus", "goes_on"), [(None, True), (0.5, False)])
def test_a_process_with_more_ends_with_the_trial_that_needed_it(
    tmp_path: Path, gpus: float | None, goes_on: bool
) -> None:
    searcher = make_searcher()
    files, goals = RunFiles(tmp_path), Goals((Aim("val_loss", "min"),))
    rules = StoppingRules("val_loss", "min", max_epochs=1)
    callback = InSequence(
        TrialLedger(Rules("val_loss", trials=9)),
        record=Record(files, files.journal, SPACE, goals),
        tell=lambda trial: None,
        observer=Witness(),
        searcher=searcher,
        live=None,
        checkpoints=Checkpoints(str(tmp_path), KeptStates(str(tmp_path))),
        machines=Machines(),
        judge=Judge(SCHEDULERS["none"].make(rules), "val_loss"),
    )
    given: list[Any] = []
    actor = SimpleNamespace(assign=SimpleNamespace(remote=given.append))
    trial: Any = SimpleNamespace(
        trial_id="process",
        config=pack({"x": 0.5}, Attempt("a", gpus=gpus)),
        placement_group_factory=SimpleNamespace(required_resources={}),
        temporary_state=SimpleNamespace(ray_actor=actor),
    )
    callback.on_trial_start(0, [], trial)
    found = EpochReport(1, 0.5, {"val_loss": 0.5})
    nothing = {HAS_WEIGHTS: False, HAS_STATE: False, NOTICE: False}
    callback.on_trial_result(0, [], trial, {REPORTS: [found], FINISHED: True, **nothing})
    (following,) = given
    assert (following is not None) == goes_on
