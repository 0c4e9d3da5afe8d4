"""Bring a run home from a cluster: ``python pipelines/fetch.py cluster.yaml RUN``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.cli.arguments import option
from pipelines.cli.command import main

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def fetch(
    cluster: Annotated[
        Any, typer.Argument(parser=Path, help="What `ray up` was given.", metavar="CLUSTER.YAML")
    ],
    run: Annotated[
        str, typer.Argument(help="The run's name, or its folder on the head.", metavar="RUN")
    ],
    to: Annotated[Any, option(Path, "Where runs are kept here.", "Options", "folder")] = "runs",
) -> None:
    """Copy a run from the head of a cluster, or bring an earlier copy up to date."""
    from pipelines.fetching import fetch_run
    from pipelines.search.record import load_trials

    folder = fetch_run(cluster, run, to)
    print(f"run       {folder}: {len(load_trials(folder))} finished trials")
    print(f"next      python pipelines/report.py {folder}")


if __name__ == "__main__":
    sys.exit(main(app))
