"""What Ray knows of a trial that has run."""

from __future__ import annotations

from pathlib import Path

from ray import cloudpickle
from ray.tune.experiment import Trial

from pipelines.search.attempts import unpack


def id_of(trial: Trial) -> str:
    """The record's name for what Ray may call otherwise."""
    return unpack(trial.config, trial.trial_id)[1].trial_id


def gpus_of(trial: Trial) -> float:
    """What Ray reserves for it."""
    return float(trial.placement_group_factory.required_resources.get("GPU", 0.0))


def exception_of(trial: Trial) -> BaseException:
    """What the trial raised, where it can be known here."""
    path = Path(trial.pickled_error_file or "")
    if not path.is_file():
        return RuntimeError("unknown error")
    try:
        error: BaseException = cloudpickle.loads(path.read_bytes())
    except Exception as unreadable:  # the error's class may be known to the worker alone
        return unreadable
    return error


def traceback_of(trial: Trial) -> str:
    """What the trial raised, as Ray wrote it down."""
    path = Path(trial.error_file or "")
    return path.read_text() if path.is_file() else "unknown error"
