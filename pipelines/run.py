"""Search for a good network: ``python pipelines/run.py --algo optuna``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.command import command, leave, main
from pipelines.cli.connection import Connection
from pipelines.cli.run_options import RunOptions
from pipelines.study.settings import panel
from pipelines.study.spec import StudySpec


def run(
    *,
    spec: Annotated[StudySpec, Parameter(name="*")] = StudySpec(),
    where: Annotated[Connection, panel("Resources", 6)] = Connection(),
    options: Annotated[RunOptions, panel("Run", 7)] = RunOptions(),
) -> int:
    """Search for a good network for your data."""
    # Imported here so that --help and a mistyped option answer at once: torch and Ray take seconds
    # to load.
    from pipelines.cli.searching import run_search

    return run_search(spec, where, options)


app = command(run)

if __name__ == "__main__":
    leave(main(app))
