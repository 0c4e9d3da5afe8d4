"""Finished trials as pandas tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from pipelines.record.front import pareto_front
from pipelines.record.goals import Goals, Requirement
from pipelines.record.trials import FinishedTrial

if TYPE_CHECKING:
    import pandas as pd

_SPREAD = ("config", "metrics")  # one column for each of their entries
_ELSEWHERE = ("curve", "curves", "changes", "planned")  # by epoch: see curves_table()


def trials_table(
    trials: Sequence[FinishedTrial], requirements: Sequence[Requirement] = ()
) -> pd.DataFrame:
    """One row per trial in the order given: its fields, ``epochs`` and ``diverged``, and a column
    for each parameter (``param.lr``) and each metric of its best epoch (``metric.val_loss``). The
    column ``n_parameters`` exists only if the search asks for it, ``broken`` only with
    ``requirements``."""
    import pandas as pd

    unasked = {
        "broken": not requirements,
        "n_parameters": all(trial.n_parameters is None for trial in trials),
    }
    told = [f.name for f in fields(FinishedTrial) if f.name not in _SPREAD + _ELSEWHERE]
    names = [name for name in told if not unasked.get(name)]
    rows = [
        {
            **{name: getattr(trial, name) for name in names},
            "state": trial.state.value,
            "epochs": trial.epochs,
            "diverged": trial.diverged,
            **{f"param.{name}": value for name, value in trial.config.items()},
            **{f"metric.{name}": value for name, value in trial.metrics.items()},
        }
        for trial in trials
    ]
    return pd.DataFrame(rows, columns=None if rows else [*names, "epochs", "diverged"])


def front_table(trials: Sequence[FinishedTrial], goals: Goals) -> pd.DataFrame:
    """One row per trial of the Pareto front: its place among all trials, its name, the objectives,
    and a column for each parameter."""
    import pandas as pd

    numbers = {id(trial): number for number, trial in enumerate(trials)}
    rows = [
        {
            "number": numbers[id(trial)],
            "trial_id": trial.trial_id,
            **dict(zip((aim.name for aim in goals.aims), goals.values(trial), strict=True)),
            **{f"param.{name}": value for name, value in trial.config.items()},
        }
        for trial in pareto_front(trials, goals)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["number", "trial_id"])


def curves_table(trials: Iterable[FinishedTrial]) -> pd.DataFrame:
    """One row per trial, epoch and metric: ``trial``, ``epoch``, ``metric``, ``value``."""
    import pandas as pd

    rows = [
        (trial.trial_id, epoch, metric, value)
        for trial in trials
        for metric, values in trial.curves.items()
        for epoch, value in zip(sorted(trial.curve), values, strict=True)
        if value is not None
    ]
    return pd.DataFrame(rows, columns=["trial", "epoch", "metric", "value"])
