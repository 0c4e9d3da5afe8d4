"""A study on real workers with a trainable made for the purpose, and what it showed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.cluster.connect import Cluster, slot_counter
from pipelines.search.attempts import Cause
from pipelines.search.progress import Incumbent, Progress
from pipelines.search.study import StudySpec, Summary, run_study
from pipelines.search.trials import FinishedTrial
from search_spaces import Float, SearchSpace
from trainables.data.datasets import TrialData

SPACE = SearchSpace({"x": Float(0.0, 1.0)})
SAMPLES = 100_000


class Witness:
    """Remembers what a study shows."""

    def __init__(self) -> None:
        self.shown: list[Progress] = []
        self.bests: list[float] = []
        self.again: list[tuple[Cause, int]] = []

    def progress(self, progress: Progress) -> None:
        self.shown.append(progress)

    def new_best(self, incumbent: Incumbent) -> None:
        self.bests.append(incumbent.value)

    def failed(self, trial: FinishedTrial) -> None: ...

    def tried_again(self, trial_id: str, cause: Cause, epoch: int) -> None:
        self.again.append((cause, epoch))


def data() -> TrialData:
    x, y = np.zeros((SAMPLES, 2), np.float32), np.zeros(SAMPLES, np.float32)
    return TrialData("zeros", "regression", x, y, x[:10], y[:10], 1, (), "none")


def study(
    cluster: Cluster,
    folder: Path,
    trainable: Any,
    witness: Witness | None = None,
    *,
    space: SearchSpace = SPACE,
    **spec: Any,
) -> Summary:
    settings = {
        "algo": "random",
        "model": "test",
        "data": "zeros",
        "metric": "val_loss",
        "trials": 6,
        "max_epochs": 3,
        "scheduler": "none",
        **spec,
    }
    full = StudySpec(**settings)
    return run_study(
        full,
        folder=folder,
        space=space,
        trainable=trainable,
        data=data(),
        slots=slot_counter(cluster, full.cpus_per_trial, full.gpus_per_trial, full.max_concurrent),
        observer=witness or Witness(),
    )
