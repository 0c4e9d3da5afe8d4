"""How much disk a run takes at most."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.study.narrowing import allowed_configs
from pipelines.study.repeats import TOP
from pipelines.study.study import Study
from trainables.training.metrics import METRICS

# Upper bounds for a trial in the journal and the events, above what benchmarks/record.py measures.
_OF_A_TRIAL, _OF_AN_EPOCH, _OF_A_METRIC = 3000, 150, 40  # bytes; the last per epoch
_PAGE = 10_000_000  # bytes of the report
_OTHER_METRICS = 5  # the losses, the learning rate, the momentum, seconds
_COPIES = 4  # of a network in a checkpoint: its best weights, its own, and Adam's two moments
_DRAWN = 30  # networks drawn from the space


@dataclass(frozen=True)
class Disk:
    """Bytes of the record with its report, and how many checkpoints exist at a time."""

    record: int
    checkpoints: int


def disk_of(study: Study, at_once: int) -> Disk:
    """What ``study`` needs. A running trial counts twice: its previous checkpoint exists until the
    new one is saved."""
    budget = study.spec.budget
    trials = study.trials + TOP * (budget.repeats or 0)
    folds = len(study.folds)
    metrics = 2 * len(METRICS) * (2 if folds > 1 else 1) + _OTHER_METRICS
    epoch = _OF_AN_EPOCH + _OF_A_METRIC * metrics
    record = _PAGE + trials * (_OF_A_TRIAL + budget.max_epochs * epoch)
    repeated = TOP if budget.repeats else 0
    return Disk(record, 2 * at_once + budget.keep + repeated + 1)


def free_in(folder: Path) -> int:
    """Free bytes on the disk of ``folder``, which may not exist yet."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free


def checkpoint_bytes(study: Study) -> int:
    """For the largest of some networks drawn from the space. Imports torch and takes a second."""
    assert study.network is not None
    rng = np.random.default_rng(study.spec.search.seed)
    drawn = allowed_configs(study.space, rng, _DRAWN)
    parameters = max(study.network.size(config, study.data) for config in drawn)
    return _COPIES * 4 * parameters * len(study.folds)
