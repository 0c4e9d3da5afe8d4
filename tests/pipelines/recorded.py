"""A run on disk, as a search would have left it, with trials made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.record.files import RunFiles
from pipelines.record.sessions import working
from pipelines.record.trials import FinishedTrial
from pipelines.record.writing import Record, start_run
from search_spaces import SPACES, SearchSpace
from tests.pipelines.running import spec_of


def write_run(
    folder: Path,
    trials: Iterable[FinishedTrial] = (),
    /,
    *,
    space: SearchSpace | None = None,
    fingerprint: str = "none",
    preprocessing: Sequence[Mapping[str, Any]] = (),
    ended: str | None = "",
    address: str | None = None,
    **settings: Any,
) -> Path:
    """Writes a run into ``folder`` and returns ``folder``.

    ``settings`` are named after their fields. The default space is that of the model. ``ended`` is
    the reason why the search ended, or None if its driver was killed. ``address`` is that of the
    cluster that it used.
    """
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
    start_run(files, spec.model_dump(mode="json"), prepared, preprocessing)
    assert spec.problem.metric is not None
    record = Record(files, files.journal, space, spec.problem.goals)
    names: set[str] = set()
    for n, trial in enumerate(trials):
        again = trial.trial_id in names  # it would replace the earlier trial
        names.add(trial.trial_id)
        record.append(replace(trial, trial_id=f"{trial.trial_id}-{n}") if again else trial)
    record.close()
    with working(files, "search", {}, address) as session:
        session.by = ended or ""
    if ended is None:
        begun, _ = files.sessions.read_text().splitlines()
        files.sessions.write_text(f"{begun}\n")
    return folder
