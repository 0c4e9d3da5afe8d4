"""Look at runs, while they run too: ``python pipelines/dashboard.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from pipelines.cli.command import command, leave, main
from pipelines.study.settings import Settings, panel


class DashboardSettings(Settings):
    """Where the pages are."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8270
    """Of this machine alone; 0 takes one that is free."""
    optuna: bool = False
    """Open optuna-dashboard on the record of one run, RUNS."""


def dashboard(
    runs: Annotated[Path, Parameter(help="The folder of runs, or one run.")] = Path("runs"),
    /,
    *,
    where: Annotated[DashboardSettings, panel("Options", 1)] = DashboardSettings(),
) -> int:
    """Show the runs in a folder in a browser, those that run too, without Ray; Ctrl-C ends it. In a
    search of this machine the same pages are inside Ray's dashboard."""
    if where.optuna:
        from pipelines.cli.optuna_dashboard import show_in_optuna

        return show_in_optuna(runs, where.port)
    from pipelines.cli.dashboard import show_runs

    return show_runs(runs, where.port)


app = command(dashboard)

if __name__ == "__main__":
    leave(main(app))
