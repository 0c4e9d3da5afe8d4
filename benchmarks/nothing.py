"""A search that trains nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces import SearchSpace

if TYPE_CHECKING:
    from pipelines.study.study import Study
    from trainables.training.trainable import Trainable


def study_of_nothing(
    train: Trainable, space: SearchSpace, algo: str, trials: int, epochs: int, slots: int, runs: str
) -> Study:
    """A search without early stopping, to measure what a trial costs besides its training."""
    import os

    import numpy as np

    from pipelines.study.spec import StudySpec
    from pipelines.study.study import Study
    from trainables.data.datasets import TrialData

    nothing = np.zeros((1, 1), np.float32)
    data = TrialData(
        "nothing", "regression", nothing, nothing[0], nothing, nothing[0], 1, (), "none"
    )
    spec = StudySpec.model_validate(
        {
            "problem": {"trainable": "benchmark:train", "metric": "val_loss"},
            "search": {"algo": algo},
            "budget": {"trials": trials, "max_epochs": epochs},
            "stopping": {"scheduler": "none"},
            "resources": {
                "max_concurrent": slots,
                "cpus_per_trial": min(1.0, (os.cpu_count() or 1) / slots),
            },
            "run": {"name": "run", "runs_dir": runs},
        }
    )
    return Study(spec, space, train, (data,))
