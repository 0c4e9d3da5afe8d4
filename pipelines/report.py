"""Look at a finished run: ``python pipelines/report.py runs/NAME``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.cli.arguments import option, whole
from pipelines.cli.command import main

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def report(
    run: Annotated[Any, typer.Argument(parser=Path, help="The run's folder.", metavar="RUN")],
    top: Annotated[int, option(whole(1), "How many trials to show.", "Options", "n")] = 10,
    plot_schedule: Annotated[
        bool,
        typer.Option(
            "--plot-schedule", help="Write schedule.html: the best trial's learning rate, momentum."
        ),
    ] = False,
) -> None:
    """Print the best trials of a run, and how its trials ended."""
    from rich.console import Console

    from pipelines.cli.display import format_config, print_plain
    from pipelines.search.record import load_spec, load_trials
    from pipelines.search.trials import ranked
    from trainables.training.metrics import METRICS

    spec = load_spec(run)
    trials = load_trials(run)
    console = Console(highlight=False)
    for trial in ranked(trials, METRICS[spec["metric"]])[:top]:
        ended = trial.stopped_by or trial.state.value.lower()
        print_plain(
            console,
            f"{trial.value:.4f}  epoch {trial.best_epoch:>3} of {trial.epochs:<3}  {ended:<12}  "
            f"{format_config(trial.config)}",
        )
    if plot_schedule:
        from pipelines.schedule_plot import write_schedule

        print_plain(console, f"schedule  {write_schedule(run)}")


if __name__ == "__main__":
    sys.exit(main(app))
