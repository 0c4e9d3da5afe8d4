"""``export.py``: the winner as a folder to use."""

from __future__ import annotations

from pathlib import Path

from pipelines.cli.options import to_type
from pipelines.cli.text import Terminal, print_lines, shown
from pipelines.study.runs import open_run
from pipelines.winner.candidates import candidate
from pipelines.winner.exporting import check_export, export
from pipelines.winner.settings import ExportSettings


def run_export(run_folder: Path, folder: Path, settings: ExportSettings) -> None:
    """Raises ``ValueError``, before anything is written, where there is nothing to export."""
    run = open_run(run_folder)
    folder = folder.expanduser().absolute()
    chosen = None if settings.trial is None else candidate(run, settings.trial)
    check_export(folder, onnx=settings.onnx)
    trained = export(run, chosen, folder, onnx=settings.onnx)
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    size = sum(path.stat().st_size for path in folder.iterdir())
    source = "photo.png" if trained.data.is_image else "mine.csv"
    print_lines(
        Terminal(),
        [
            f"model     {shown(folder)}: trained on {trained.trained_on}",
            f"files     {files} ({size / 1e6:.1f} MB)",
            f"next      {to_type('predict', str(shown(folder)), source)}",
        ],
    )
