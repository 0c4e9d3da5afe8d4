"""Look at a run: ``python pipelines/report.py runs/NAME``."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.command import command, main
from pipelines.study.settings import Count, Settings, panel
from pipelines.study.spec import RunFolder


class ReportSettings(Settings):
    """What is shown."""

    top: Count = 10
    """How many trials to show."""
    plot_schedule: bool = False
    """Write schedule.html: the best trial's learning rate, momentum."""


def report(
    run: Annotated[RunFolder, Parameter(help="The run's folder.")],
    /,
    *,
    show: Annotated[ReportSettings, panel("Options", 1)] = ReportSettings(),
) -> None:
    """Print the best trials of a run, and how its trials ended."""
    from pipelines.cli.report import print_report

    print_report(run, show.top, plot_schedule=show.plot_schedule)


app = command(report)

if __name__ == "__main__":
    sys.exit(main(app))
