"""The learning rate and momentum of a run's best trial, over the whole of its training."""

from __future__ import annotations

from pathlib import Path

from pipelines.results.figures import save
from pipelines.results.figures.schedule import schedule_data, schedule_figure
from pipelines.study.prepare import load_problem
from pipelines.study.runs import open_run
from pipelines.winner.planned import cycle_ends, planned_at
from trainables.networks import NETWORKS


def write_schedule(folder: Path) -> Path:
    """Write ``schedule.html`` for the best trial of the run in ``folder``; return its path. The
    schedule has all epochs that the trial planned last, even if the trial was stopped.

    Raises ``ValueError`` for a run of a user's own trainable, whose schedule is not known, for a
    run without a trial to show, and for data that can no longer be loaded.
    """
    run = open_run(folder)
    spec = run.spec
    if spec.problem.trainable:
        raise ValueError(
            f"{folder} searched {spec.problem.trainable}, whose schedule is not known: "
            f"only the schedules of {' and '.join(NETWORKS)} are"
        )
    trial = run.best
    if trial is None:
        raise ValueError(f"{folder} has no trial that neither diverged nor failed: nothing to plot")
    config = NETWORKS[spec.problem.model].config.from_dict(trial.config)
    n_train = len(load_problem(spec)[0].x_train)
    planned = planned_at(run, trial, trial.epochs)
    data = schedule_data(config, n_train, planned, cycle_ends(spec, planned))
    path = folder / "schedule.html"
    save(schedule_figure(data, config, trial.best_epoch), path)
    return path
