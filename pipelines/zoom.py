"""The ranges that --zoom-from would take from a run: ``python pipelines/zoom.py runs/NAME``."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from pipelines.cli.command import command, main
from pipelines.study.settings import Real, Settings, panel
from pipelines.study.spec import RunFolder


class ZoomSettings(Settings):
    """How far to zoom in."""

    quantile: Annotated[Real, Field(gt=0, le=1)] = 0.25
    """Zoom in on this share of the trials, the best ones."""


def zoom(
    run: Annotated[RunFolder, Parameter(help="The run's folder.")],
    /,
    *,
    settings: Annotated[ZoomSettings, panel("Options", 1)] = ZoomSettings(),
) -> None:
    """Print the ranges that a search with --zoom-from would take from a run, and run nothing."""
    from pipelines.cli.zoom import print_zoom

    print_zoom(run, settings.quantile)


app = command(zoom)

if __name__ == "__main__":
    sys.exit(main(app))
