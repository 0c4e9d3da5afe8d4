"""A trial is trained again with the length that was planned at its best epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sets.configs import LENET
from pipelines.record.files import RunFiles
from pipelines.record.trials import FinishedTrial, State
from pipelines.study.runs import Run, open_run
from pipelines.winner.candidates import candidate
from pipelines.winner.planned import planned_at
from pipelines.winner.training import training_of
from tests.pipelines.recorded import write_run

pytestmark = pytest.mark.usefixtures("elsewhere")

TRIAL = FinishedTrial("a", LENET, State.COMPLETE, {10: 0.5}, 0.5, 10, started=101.0)


def session(begun: float, part: str = "search", **budget: int) -> list[Mapping[str, Any]]:
    changes = {"budget": budget} if budget else {}
    first = {"begun": begun, "part": part, "host": "here", "process": 1, "changes": changes}
    return [first, {"ended": begun + 50, "by": ""}]


def searched(*trials: FinishedTrial, drivers: bool = True) -> Run:
    """A run of 30 epochs, resumed for 90. Its drivers began at 100, 200 and 300."""
    files = RunFiles(write_run(Path("runs/it"), trials, max_epochs=30))
    lines = [
        *(*session(100), *session(160, "repeats")),
        *(*session(200, max_epochs=90), *session(260, "repeats", max_epochs=90)),
        *session(300, trials=80),
    ]
    files.sessions.write_text("".join(f"{json.dumps(line)}\n" for line in lines * drivers))
    return open_run(files.folder)


@pytest.mark.parametrize(
    ("trial", "epoch", "length"),
    [
        (TRIAL, 10, 30),
        (replace(TRIAL, started=201.0), 10, 90),
        (replace(TRIAL, started=301.0), 10, 90),
        (replace(TRIAL, planned={1: 30, 31: 90}), 30, 30),
        (replace(TRIAL, planned={1: 30, 31: 90}), 31, 90),
        (replace(TRIAL, resumed=1), 10, 90),  # without a checkpoint: it began once more
        (replace(TRIAL, started=161.0, repeat_of="b"), 10, 30),
        (replace(TRIAL, started=261.0, repeat_of="b"), 10, 90),
    ],
)
def test_the_length_is_that_of_the_driver_or_of_the_record(
    trial: FinishedTrial, epoch: int, length: int
) -> None:
    assert planned_at(searched(), trial, epoch) == length


def test_a_run_of_before_there_were_sessions_has_one_length() -> None:
    assert planned_at(searched(drivers=False), TRIAL, 10) == 30


def test_a_trial_is_trained_again_as_it_was_planned() -> None:
    run = searched(TRIAL)
    assert run.spec.budget.max_epochs == 90
    chosen = candidate(run, "a")
    assert (chosen.epochs, chosen.max_epochs) == (10, 30)
    assert training_of(run, chosen, seed=1).max_epochs == 30


def test_repeats_that_are_longer_than_the_trial_decide_how_long_is_planned() -> None:
    run = searched(TRIAL)
    more = replace(TRIAL, repeat_of="a", started=261.0)
    run.__dict__["repeated"] = [
        replace(more, trial_id="r", best_epoch=80),
        replace(more, trial_id="s", best_epoch=60),
    ]
    chosen = candidate(run, "a")
    assert (chosen.epochs, chosen.max_epochs) == (60, 90)
