"""``report.py``: a run in words, on a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from pipelines.cli.summary import repeats_lines, result_lines
from pipelines.cli.text import format_config, print_plain, shown, wrapped
from pipelines.record.trials import ranked
from pipelines.results.schedule import write_schedule
from pipelines.study.finish import write_table
from pipelines.study.repeats import by_config
from pipelines.study.runs import Run, open_run
from trainables.training.metrics import METRICS


def print_report(folder: Path, top: int, *, plot_schedule: bool) -> None:
    """Print the ``top`` best trials and how all ended. The table of the trials is brought up to
    date: a search that was killed could not write it.

    Raises ``ValueError`` where ``folder`` is no run.
    """
    run = open_run(folder)
    console = Console(highlight=False)
    for line in _lines(run, top):
        console.print(wrapped(line, console.width), markup=False, soft_wrap=True)
    print_plain(console, f"table     {shown(write_table(run.files, run.finished))}")
    if plot_schedule:
        print_plain(console, f"schedule  {write_schedule(folder)}")


def _lines(run: Run, top: int) -> Iterator[str]:
    problem, budget = run.spec.problem, run.spec.budget
    data = f"{run.data.name}, {run.data.train} train + {run.data.validation} validation samples"
    yield f"run       {problem.name} with {run.spec.search.algo} on {data}"
    yield from result_lines(run.result, problem.folds)
    best = ranked(run.finished, METRICS[run.metric])[:top]
    if best:
        yield f"top {len(best):<6}{run.metric}, its epoch, how the trial ended, its config"
    for n, trial in enumerate(best, 1):
        ended = trial.stopped_by or trial.state.value.lower()
        at = f"epoch {trial.best_epoch} of {trial.epochs}"
        yield f"{n:>7}   {trial.value:.4f}  {at}, {ended}: {format_config(trial.config)}"
    if run.repeated:
        yield f"repeats   {run.metric} with {budget.repeats} other seeds each"
        yield from repeats_lines(by_config(run.repeated, METRICS[run.metric]))
