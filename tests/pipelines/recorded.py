"""A run on disk with trials made by hand: as a search would have left it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.record.files import RunFiles
from pipelines.record.trials import FinishedTrial
from pipelines.record.writing import Record, start_run
from search_spaces import SPACES, SearchSpace
from tests.pipelines.running import spec_of
from trainables.training.metrics import METRICS


def write_run(
    folder: Path,
    trials: Iterable[FinishedTrial] = (),
    /,
    *,
    space: SearchSpace | None = None,
    fingerprint: str = "none",
    **settings: Any,
) -> Path:
    """``settings`` are by the names of their fields; the space is that of the model, unless it is
    given. Returns ``folder``."""
    spec = spec_of(**{"metric": "val_accuracy", "name": folder.name, **settings})
    space = SPACES[spec.problem.model] if space is None else space
    data = {
        "name": spec.problem.data,
        "task": "classification",
        "fingerprint": fingerprint,
        "train": 60,
        "validation": 20,
        "input_shape": [4],
        "classes": ["a", "b"],
    }
    prepared = {"space": space.to_dict(), "data": data, "lr_bounds": {}, "versions": {}}
    files = RunFiles(folder)
    start_run(files, spec.model_dump(mode="json"), prepared)
    assert spec.problem.metric is not None
    record = Record(files, files.journal, space, METRICS[spec.problem.metric].mode)
    for trial in trials:
        record.append(trial)
    return folder
