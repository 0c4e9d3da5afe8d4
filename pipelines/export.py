"""The winner of a run as a folder to use: ``python pipelines/export.py runs/NAME FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.command import FAILURE, command, leave, main
from pipelines.cli.connection import Address
from pipelines.cli.visible import visible
from pipelines.study.settings import panel
from pipelines.study.spec import RunFolder
from pipelines.winner.settings import ExportSettings


def export(
    run: Annotated[RunFolder, Parameter(help="The run's folder.")],
    folder: Annotated[Path, Parameter(help="Where to put the model; a new or an empty folder.")],
    /,
    *,
    settings: Annotated[ExportSettings, panel("Options", 1)] = ExportSettings(),
    where: Annotated[Address, panel("Resources", 2)] = Address(),
) -> int:
    """Write the winner of a run into a folder, with everything that is needed to use it."""
    from pipelines.cli.export import run_export

    if failed := run_export(run, folder, settings, where):
        print(f"error: {visible(failed)}", file=sys.stderr)
        return FAILURE
    return 0


app = command(export)

if __name__ == "__main__":
    leave(main(app))
