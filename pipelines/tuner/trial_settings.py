"""What all trials of a study share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.record.goals import Requirement
from search_spaces import Config
from trainables.training.trainable import Trainable

BATCH_SECONDS = 0.5  # epochs are reported at least this often, even between decisions,
REPORTS_A_SECOND = 128  # but no more often than this by all trials together


def batch_seconds(slots: int) -> float:
    """How long a trial may train before it reports, if nothing is decided earlier. One driver
    handles all reports, so many trials at once report less often."""
    return max(BATCH_SECONDS, slots / REPORTS_A_SECOND)


def always(config: Config, epoch: int) -> bool:
    """For a scheduler that decides after each epoch."""
    return True


@dataclass(frozen=True)
class TrialSettings:
    """What all trials of a study share, apart from the data."""

    trainable: Trainable
    metric: str
    max_epochs: int
    cpus: float
    storage: str  # of checkpoints: an absolute path, or a URI
    data_key: str  # unique to this search: see OwnData
    must_resume: bool = False  # the scheduler pauses trials
    decides: Callable[[Config, int], bool] = always  # whether the scheduler does, after an epoch
    target_value: float | None = None
    worst: float | None = None  # score of a diverged trial, if the metric has a unit
    also: tuple[str, ...] = ()  # other metrics that the trainable must yield
    requirements: tuple[Requirement, ...] = ()  # an epoch that breaks one is not the best
    label: str = ""  # of the search, on Ray's own pages
    folder: str = ""  # the working directory of trials, on a node that has it; "": Ray's
    batch_seconds: float = BATCH_SECONDS  # after so long a trial reports its epochs
