"""``export.py``: writes the winner into a folder, to use it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pipelines.cli.connection import Address
from pipelines.cli.options import to_type
from pipelines.cli.text import Terminal, print_lines
from pipelines.cli.training import counted, for_training, select_among, warn_if_unfinished
from pipelines.study.runs import open_run
from pipelines.study.typed import shown
from pipelines.winner.candidates import chosen_of
from pipelines.winner.exporting import check_export, export
from pipelines.winner.settings import ExportSettings
from pipelines.winner.trained import check_again, trained_alone, trained_together


def run_export(
    run_folder: Path,
    folder: Path,
    settings: ExportSettings,
    where: Address,
    console: Console | None = None,
) -> None:
    """Raises ``ValueError``, before anything is written, if there is nothing to export."""
    console = console or Terminal()
    run = open_run(run_folder)
    folder = folder.expanduser().absolute()
    chosen = chosen_of(run, settings)
    check_export(folder, onnx=settings.onnx)
    if settings.n_seeds:
        check_again(run, settings, chosen)
    warn_if_unfinished(run, console)
    if settings.n_seeds:
        with for_training(run, where, console) as check:
            check()
            chosen = select_among(run, chosen, console)
            total = len(chosen) * settings.n_seeds
            trained = trained_together(run, chosen, settings.n_seeds, counted(console, total))
    else:
        trained = trained_alone(run, chosen[0])
    export(run, trained, folder, onnx=settings.onnx)
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    size = sum(path.stat().st_size for path in folder.iterdir())
    source = "photo.png" if trained.data.is_image else "mine.csv"
    print_lines(
        console,
        [
            f"model     {shown(folder)}: trained on {trained.trained_on}",
            f"files     {files} ({size / 1e6:.1f} MB)",
            f"next      {to_type('predict', str(shown(folder)), source)}",
        ],
    )
