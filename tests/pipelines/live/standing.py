"""What the driver of a search writes, made by hand."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.sets.configs import LENET
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.journal import _frozen, load_study
from pipelines.record.live import Driver, Live, write_live
from pipelines.record.trials import FinishedTrial, State
from search_spaces import SPACES
from tests.pipelines.results.made import made

CONFIG = LENET
TRIAL = made([0.5, 0.6], config=CONFIG, trial_id="a", started=1e9, seconds=2.0)


def running(values: list[float], trial_id: str = "r", **more: Any) -> FinishedTrial:
    """A running trial."""
    trial = made(values, config=CONFIG, trial_id=trial_id, started=1e9, seconds=3.0, **more)
    return replace(trial, state=State.RUNNING)


def standing(*trials: FinishedTrial, **more: Any) -> Live:
    """The live state of a search in this process, written a moment ago."""
    return Live(
        **{
            "driver": Driver.this(),
            "at": time.time(),
            "every": 1.0,
            "phase": "search",
            "total": 40,
            "finished": 1,
            "running": len(trials),
            "paused": 0,
            "stopped": 0,
            "diverged": 0,
            "failed": 0,
            "best": 0.9,
            "best_epoch": 2,
            "best_config": CONFIG,
            "seconds": 12.0,
            "seconds_left": 60.0,
            "slots": 2,
            "epochs": 7,
            "epochs_per_second": 0.5,
            "suggestion_seconds": 0.004,
            "trials": trials,
            **more,
        }
    )


def write(folder: Path, *trials: FinishedTrial, **more: Any) -> Live:
    """Writes such a state into the folder of a run."""
    live = standing(*trials, **more)
    write_live(RunFiles(folder), live)
    return live


def append(folder: Path, trial: FinishedTrial) -> None:
    """Appends a trial as the driver does, from another process."""
    goals = Goals((Aim("value", "max"),))
    load_study(RunFiles(folder).journal).add_trial(_frozen(trial, SPACES["mlp"], goals))
