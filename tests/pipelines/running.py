"""Runs a study on real workers with a trainable of a test, and keeps what the study showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.cluster.machines import Cluster
from pipelines.record.trials import FinishedTrial
from pipelines.study.result import StudyResult
from pipelines.study.run_study import run_study
from pipelines.study.spec import StudySpec
from pipelines.study.study import Study
from pipelines.tuner.attempts import Cause
from pipelines.tuner.ledger.progress import Incumbent, Progress
from search_spaces import Float, SearchSpace
from trainables.data.datasets import TrialData

SPACE = SearchSpace({"x": Float(0.0, 1.0)})
SAMPLES = 100_000
GROUP_OF = {
    field: group
    for group in StudySpec.model_fields
    for field in type(getattr(StudySpec(), group)).model_fields
}


class Witness:
    """Remembers what a study shows."""

    def __init__(self) -> None:
        self.shown: list[Progress] = []
        self.bests: list[float] = []
        self.again: list[tuple[Cause, int]] = []
        self.why: list[str] = []
        self.waits: list[str] = []
        self.warnings: list[str] = []

    def progress(self, progress: Progress) -> None:
        self.shown.append(progress)

    def new_best(self, incumbent: Incumbent) -> None:
        self.bests.append(incumbent.value)

    def failed(self, trial: FinishedTrial) -> None: ...

    def tried_again(self, trial_id: str, cause: Cause, epoch: int, why: str) -> None:
        self.again.append((cause, epoch))
        self.why.append(why)

    def waits_for(self, what: str) -> None:
        self.waits.append(what)

    def warns(self, what: str) -> None:
        self.warnings.append(what)


def data() -> TrialData:
    x, y = np.zeros((SAMPLES, 2), np.float32), np.zeros(SAMPLES, np.float32)
    return TrialData("zeros", "regression", x, y, x[:10], y[:10], 1, (), "none")


def spec_of(**settings: Any) -> StudySpec:
    """A spec from settings that are named after their fields, without their groups."""
    groups: dict[str, dict[str, Any]] = {}
    for field, value in settings.items():
        groups.setdefault(GROUP_OF[field], {})[field] = value
    return StudySpec.model_validate(groups)


def study_of(folder: Path, trainable: Any, *, space: SearchSpace = SPACE, **settings: Any) -> Study:
    """A study of ``trainable`` on data of zeros, ready to run in ``folder``."""
    settings = {
        "algo": "random",
        "trainable": "test:trainable",
        "metric": "val_loss",
        "trials": 6,
        "max_epochs": 3,
        "scheduler": "none",
        "name": folder.name,
        "runs_dir": folder.parent,
        **settings,
    }
    return Study(spec_of(**settings), space, trainable, (data(),))


def study(
    cluster: Cluster,
    folder: Path,
    trainable: Any,
    witness: Witness | None = None,
    *,
    space: SearchSpace = SPACE,
    **settings: Any,
) -> StudyResult:
    """The result of such a study, run on the cluster."""
    prepared = study_of(folder, trainable, space=space, **settings)
    return run_study(prepared, cluster, witness or Witness())
