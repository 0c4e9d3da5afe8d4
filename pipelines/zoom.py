"""The ranges that a next search would take from a run: ``python pipelines/zoom.py runs/NAME``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.cli.arguments import import_object, option, real
from pipelines.cli.command import main, to_type
from search_spaces import SPACES, SearchSpace

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def zoom(
    run: Annotated[Any, typer.Argument(parser=Path, help="The run's folder.", metavar="RUN")],
    quantile: Annotated[
        float, option(real(0, 1), "Share of the trials to zoom in on.", "Options", "share")
    ] = 0.25,
    space: Annotated[
        Any,
        option(
            str,
            "The space that the run searched, where it was your own.",
            "Options",
            "package.module:space",
            show_default="the model's",
        ),
    ] = None,
) -> None:
    """Print the ranges that a search with --zoom-from would take from a run, and run nothing."""
    from rich.console import Console

    from pipelines.cli.display import print_plain
    from pipelines.search.zoom import QUANTILE, zoom_lines, zoom_run

    _, changes = zoom_run(run, None if space is None else _import_space(space), quantile)
    console = Console(highlight=False)
    for line in zoom_lines(changes):
        print_plain(console, line)
    if quantile != QUANTILE:
        print_plain(console, f"note      --zoom-from takes the top {QUANTILE:.0%} of the trials")
    print_plain(console, f"next      {_next_command(run, space)}")


def _import_space(reference: str) -> SearchSpace:
    space = import_object(reference)
    if not isinstance(space, SearchSpace):
        raise ValueError(f"--space {reference} is a {type(space).__name__}, not a SearchSpace")
    return space


def _next_command(run: Path, space: str | None) -> str:
    """For the same problem: what --zoom-from does not know of it, the command must say."""
    from pipelines.search.record import load_spec

    spec = load_spec(run)
    model = "--model" if spec["model"] in SPACES else "--trainable"
    words = ["--zoom-from", str(run), "--algo", "gp", model, spec["model"]]
    if space is not None:
        words += ["--space", space]
    words += ["--data", spec["data"], "--metric", spec["metric"]]
    if spec.get("target") is not None:
        words += ["--target", spec["target"]]
    return to_type("run", *words)


if __name__ == "__main__":
    sys.exit(main(app))
