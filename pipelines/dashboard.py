"""Look at runs, also while they run: ``python pipelines/dashboard.py``."""

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
    """The port, which only this machine can reach; 0 takes a free one."""
    optuna: bool = False
    """Show one run, given as RUNS, in optuna-dashboard."""


def dashboard(
    runs: Annotated[Path, Parameter(help="The folder of the runs, or one run.")] = Path("runs"),
    /,
    *,
    where: Annotated[DashboardSettings, panel("Options", 1)] = DashboardSettings(),
) -> int:
    """Show the runs in a folder in a browser, also while they run. It needs no Ray; Ctrl-C ends it.
    While a search runs on this machine, Ray's dashboard has the same pages."""
    if where.optuna:
        from pipelines.cli.optuna_dashboard import show_in_optuna

        return show_in_optuna(runs, where.port)
    from pipelines.cli.dashboard import show_runs

    return show_runs(runs, where.port)


app = command(dashboard)

if __name__ == "__main__":
    leave(main(app))
