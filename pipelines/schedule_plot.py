"""The learning rate and momentum of a run's best trial, over the whole of its training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipelines.search.record import load_spec, load_trials
from pipelines.search.schedulers import StoppingRules, rungs
from pipelines.search.trials import best_trial
from trainables.data.datasets import load, load_folds
from trainables.networks import NETWORKS
from trainables.training.batches import batch_bounds
from trainables.training.config import TrainingConfig
from trainables.training.metrics import METRICS
from trainables.training.schedules import make_schedule

_MOST_POINTS = 5000  # more cannot be told apart on a screen


class ScheduleData(NamedTuple):
    """The rates of some optimiser steps, equally far apart."""

    epochs: list[float]  # trained before the step; 0 for the first
    lr: list[float]
    momentum: list[float]  # betas[0] of AdamW


def schedule_data(
    config: TrainingConfig, n_train: int, max_epochs: int, cycle_ends: Sequence[int] = ()
) -> ScheduleData:
    """The rates with which ``config`` trains on ``n_train`` samples, from its first step to its
    last; of a very long training not every step. For ``cycle_ends`` see
    :func:`trainables.training.schedules.make_schedule`."""
    steps_per_epoch = len(batch_bounds(n_train, config.batch_size))
    total = max_epochs * steps_per_epoch
    schedule = make_schedule(config, steps_per_epoch, total, cycle_ends)
    steps = np.linspace(0, total - 1, min(total, _MOST_POINTS)).round().astype(int).tolist()
    rates = [schedule(step) for step in steps]
    return ScheduleData(
        [step / steps_per_epoch for step in steps],
        [lr for lr, _ in rates],
        [momentum for _, momentum in rates],
    )


def write_schedule(folder: Path) -> Path:
    """Writes ``schedule.html`` for the best trial of the run in ``folder``, as it would be when
    trained for all epochs; returns its path.

    Raises ``ValueError`` for a run of a user's own trainable, which has no schedule that we know,
    for one without a trial to show, and for data that can no longer be loaded.
    """
    from pipelines.figures import save
    from pipelines.figures.schedule import schedule_figure

    spec = load_spec(folder)
    if spec["model"] not in NETWORKS:
        raise ValueError(
            f"{folder} searched {spec['model']}, whose schedule is not known: "
            f"only those of {' and '.join(NETWORKS)} are"
        )
    trial = best_trial(load_trials(folder), METRICS[spec["metric"]])
    if trial is None:
        raise ValueError(f"{folder} has no trial that neither diverged nor failed: nothing to plot")
    config = NETWORKS[spec["model"]].config.from_dict(trial.config)
    data = schedule_data(config, _n_train(spec), spec["max_epochs"], _cycle_ends(spec))
    path = folder / "schedule.html"
    save(schedule_figure(data, config, trial.best_epoch), path)
    return path


def _n_train(spec: dict[str, Any]) -> int:
    """The number of samples that its trials trained on; with folds, those of the first."""
    options = {
        "target": spec["target"],
        "fraction": spec["data_fraction"],
        "seed": spec["seed"],
    }
    k = spec.get("folds", 0)
    data = load_folds(spec["data"], k, **options)[0] if k else load(spec["data"], **options)
    return len(data.x_train)


def _cycle_ends(spec: dict[str, Any]) -> tuple[int, ...]:
    if spec["scheduler"] != "aligned_asha":
        return ()
    return rungs(
        StoppingRules(
            spec["metric"],
            METRICS[spec["metric"]].mode,
            spec["max_epochs"],
            spec["grace_period"],
            spec["reduction_factor"],
        )
    )
