"""Look at runs: ``python pipelines/report.py runs/NAME``."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.command import command, main
from pipelines.study.settings import Count, File, Settings, panel
from pipelines.study.spec import RunFolder


class ReportSettings(Settings):
    """What is shown, and where it is written."""

    top: Count = 10
    """How many trials to print."""
    output: File | None = None
    """Where to write the page; by default report.html in the run, or for several runs
    comparison.html in the working directory."""
    plot_schedule: bool = False
    """Write schedule.html: the learning rate and momentum of the best trial."""


def report(
    run: Annotated[RunFolder, Parameter(help="The run's folder.")],
    /,
    *others: Annotated[RunFolder, Parameter(help="More runs, to compare them.")],
    show: Annotated[ReportSettings, panel("Options", 1)] = ReportSettings(),
) -> None:
    """Print the best trials of a run and how its trials ended, and write the full report.html. For
    several runs, write a page that compares them."""
    from pipelines.cli.report import print_comparison, print_report

    if others:
        for name in ("top", "plot_schedule"):
            if name in show.model_fields_set:
                raise ValueError(f"`{name}` is for one run, not for a comparison of several")
        print_comparison([run, *others], show.output)
    else:
        print_report(run, show.top, show.output, plot_schedule=show.plot_schedule)


app = command(report)

if __name__ == "__main__":
    sys.exit(main(app))
