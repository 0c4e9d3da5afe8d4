"""Bring a run home from a cluster: ``python pipelines/fetch.py cluster.yaml RUN``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.command import command, main


def fetch(
    cluster: Annotated[
        Path, Parameter(help="The file that `ray up` was given.", allow_leading_hyphen=False)
    ],
    run: Annotated[
        str,
        Parameter(help="The run's name, or its folder on the head.", allow_leading_hyphen=False),
    ],
    /,
    *,
    to: Annotated[
        Path, Parameter(group="Options", metavar="FOLDER", help="The folder of the runs here.")
    ] = Path("runs"),
) -> None:
    """Copy a run from the head of a cluster, or bring an earlier copy up to date."""
    from pipelines.cli.options import to_type
    from pipelines.cli.visible import visible
    from pipelines.cluster.fetching import fetch_run
    from pipelines.live.folders import is_comparison
    from pipelines.study.runs import open_run

    folder = fetch_run(cluster, run, to)
    if is_comparison(folder):
        print(visible(f"run       {folder}: a comparison"))
        return
    print(visible(f"run       {folder}: {len(open_run(folder).finished)} finished trials"))
    print(visible(f"next      {to_type('report', str(folder))}"))


app = command(fetch)

if __name__ == "__main__":
    sys.exit(main(app))
