"""Train a trial again, to check its record: ``python pipelines/replay.py runs/NAME TRIAL``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.command import command, leave, main
from pipelines.study.spec import RunFolder


def replay(
    run: Annotated[RunFolder, Parameter(help="The run's folder.")],
    trial: Annotated[str, Parameter(help="The number of a trial, as in the report.")],
    /,
) -> int:
    """Train a trial again, without Ray, and say whether each epoch's metrics are the same."""
    from pipelines.cli.replay import run_replay

    return run_replay(run, trial)


app = command(replay)

if __name__ == "__main__":
    leave(main(app))
