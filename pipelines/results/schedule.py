"""A page of its own for the learning rate and momentum of a run's best trial."""

from __future__ import annotations

from pathlib import Path

from pipelines.results.figures import save
from pipelines.results.sections.learning_rate import rates_drawing, rates_of
from pipelines.study.prepare import load_problem
from pipelines.study.runs import open_run
from trainables.networks import NETWORKS


def write_schedule(folder: Path) -> Path:
    """Write ``schedule.html`` for the best trial of the run in ``folder``; return its path. The
    schedule has all epochs that the trial planned last, even if the trial was stopped. If its
    config changed in mid-training, the rates are those that it reported after each epoch.

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
    n_train = len(load_problem(spec)[0].x_train)
    data = rates_of(run, trial, n_train)
    if data is None:
        raise ValueError(f"{folder}: its best trial reported no learning rates: nothing to plot")
    config = NETWORKS[spec.problem.model].config.from_dict(trial.config)
    told = f"{config.policy}, {config.optimizer}, weight decay {config.weight_decay:.3g}"
    number = run.finished.index(trial)
    path = folder / "schedule.html"
    drawn = rates_drawing(data, trial, run.metric)
    title = f"The schedule of trial {number} of {run.files.folder.name}"
    save(drawn.figure, path, title, told, drawn.caption)
    return path
