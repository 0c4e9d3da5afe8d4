"""``zoom.py``: says what a search would take from a run."""

from __future__ import annotations

from pathlib import Path

from pipelines.cli.options import to_type
from pipelines.cli.text import Terminal, print_plain
from pipelines.cli.visible import visible
from pipelines.study.runs import Run, open_run
from pipelines.study.zoom import QUANTILE, zoom, zoom_lines
from trainables.training.metrics import METRICS


def print_zoom(folder: Path, quantile: float) -> None:
    """Raises ``ValueError`` where ``folder`` is no run, or the run is not one to zoom in on."""
    run = open_run(folder)
    _, changes = zoom(run.space, run.finished, METRICS[run.metric], quantile)
    console = Terminal()
    for line in zoom_lines(changes):
        console.print(visible(line), markup=False, soft_wrap=True)
    if quantile != QUANTILE:
        print_plain(console, f"note      --zoom-from takes the top {QUANTILE:.0%} of the trials")
    print_plain(console, f"next      {_next_command(folder, run)}")


def _next_command(folder: Path, run: Run) -> str:
    """For the same problem: what a search does not know from the run, the command must say."""
    problem = run.spec.problem
    return to_type(
        "run",
        zoom_from=folder,
        algo="gp",
        model=None if problem.trainable else problem.model,
        trainable=problem.trainable,
        data=problem.data,
        metric=problem.metric,
        target=problem.target,
        drop=problem.drop,
        category=problem.category,
        task=problem.task,
    )
