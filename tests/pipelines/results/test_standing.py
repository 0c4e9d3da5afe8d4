"""What a page says of a search whose driver was killed, and how to go on with it."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sets.configs import LENET
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.live import Driver
from pipelines.record.writing import Record
from pipelines.results.standing import standing
from pipelines.study.runs import open_run
from search_spaces import SPACES
from tests.pipelines.live.standing import running, write
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made

pytestmark = pytest.mark.usefixtures("elsewhere")

TRIAL = made([0.5, 0.6], config=LENET)


def killed(folder: Path, **more: Any) -> str:
    """What is said of the run in ``folder`` if its driver was killed a while ago."""
    gone = {"at": time.time() - 90, "driver": replace(Driver.this(), started="0")}
    write(folder, running([0.7]), **gone, **more)
    return standing(open_run(folder))


def test_the_command_to_go_on_can_be_typed() -> None:
    told = killed(write_run(Path("my runs/it"), [TRIAL], ended=None))
    assert "1 of 40 trials have finished, 1 was running. To go on: " in told
    words = shlex.split(told.partition("To go on: ")[2])
    assert words == ["python", "-m", "pipelines.run", "--resume", "my runs/it"]


@pytest.mark.parametrize(("scheduler", "algo"), [("hyperband", "optuna"), ("pbt", "random")])
def test_what_cannot_be_resumed_is_learnt_from(scheduler: str, algo: str) -> None:
    settings: dict[str, Any] = {"scheduler": scheduler, "algo": algo, "ended": None}
    told = killed(write_run(Path("runs/it"), [TRIAL], **settings), paused=12)
    assert "1 was running, 12 were paused." in told
    assert f"A search with {scheduler} cannot be resumed: its paused trials are lost." in told
    assert "--resume" not in told
    assert told.endswith("--seed-from runs/it")
    assert f"--scheduler {scheduler}" in told


def test_without_a_finished_trial_there_is_nothing_to_learn_from() -> None:
    told = killed(write_run(Path("runs/it"), scheduler="hyperband", ended=None))
    assert told.endswith("A search with hyperband cannot be resumed.")


def test_repeats_are_not_counted_as_trials() -> None:
    folder = write_run(Path("runs/it"), [TRIAL] * 6, trials=6, repeats=30)
    files = RunFiles(folder)
    record = Record(files, files.repeats, SPACES["mlp"], Goals((Aim("value", "max"),)))
    for number in range(2):
        record.append(made([0.4], config=LENET, repeat_of="t", trial_id=f"again-{number}"))
    record.close()
    write(folder, running([0.7]), phase="repeats", total=60, finished=2)
    assert standing(open_run(folder)) == (
        "The search is over, the best configs run again: 2 of 60 repeats have finished, 1 runs."
    )
    told = killed(folder, phase="repeats", total=60, finished=2)
    assert told.startswith("The search of 6 trials was over. Its driver ended without a word at ")
    assert "2 of 60 repeats of the best configs have finished, 1 was running." in told
    assert told.endswith("python -m pipelines.run --resume runs/it")
