"""A small search whose driver can be killed at any point."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pipelines.record.events import read_events
from pipelines.record.files import RunFiles
from pipelines.record.journal import load_journal
from pipelines.record.trials import FinishedTrial
from pipelines.study.study import Study
from search_spaces import AtLeast, Choice, Float, Int, SearchSpace
from tests.pipelines.running import study_of
from tests.pipelines.study.without_ray import Curve

SPACE = SearchSpace(
    {
        "lr": Float(1e-3, 1.0, log=True),
        "n_layers": Int(1, 2),
        "width_2": Int(8, 64, log=True, when=AtLeast("n_layers", 2)),
        "kind": Choice(("a", "b")),
    },
    grid_levels={"lr": 3, "n_layers": 2, "width_2": 2, "kind": 2},
    try_first=({"lr": 0.01, "n_layers": 1, "kind": "b"},),
)


def loss(config: dict[str, Any], epoch: int) -> float:
    """A loss that diverges for the largest learning rates."""
    if config["lr"] > 0.6 and epoch > 1:
        return math.nan
    distance = abs(math.log10(config["lr"]) + 1.5) + 0.1 * (config["kind"] == "a")
    return float(distance + (1 + config.get("width_2", 3) / 64) / epoch)


def trainable(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
    return Curve(loss, config, max_epochs)


def study(folder: Path, algo: str = "random", **more: Any) -> Study:
    settings = {"algo": algo, "trials": 12, "max_epochs": 9, "scheduler": "asha", **more}
    return study_of(folder, trainable, space=SPACE, **settings)


def decisions(trials: list[FinishedTrial]) -> list[Any]:
    """Everything about a trial that was decided or trained, but not its name and its times."""
    return [(t.config, t.state, dict(t.curve), t.value, t.best_epoch, t.stopped_by) for t in trials]


def recorded(study: Study) -> list[FinishedTrial]:
    return load_journal(RunFiles(study.folder).journal)


def lines_of(study: Study) -> int:
    return len(read_events(RunFiles(study.folder).events))
