"""``export.py``: writes the winner into a folder, to use it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pipelines.cli.connection import Address
from pipelines.cli.options import to_type
from pipelines.cli.text import Terminal, print_lines
from pipelines.cli.training import counted, for_training, select_among, warn_if_unfinished
from pipelines.record.patience import naming
from pipelines.study.interrupts import interruptible
from pipelines.study.runs import Run, open_run
from pipelines.study.typed import shown
from pipelines.winner.candidates import Candidate, chosen_of
from pipelines.winner.exporting import check_onnx, export, write_onnx
from pipelines.winner.new_folder import new_folder
from pipelines.winner.settings import ExportSettings
from pipelines.winner.trained import Trained, check_again, trained_alone, trained_together
from pipelines.winner.training import give_trainable
from trainables.device.byte_sizes import format_bytes
from trainables.training.trainable import Trainable


def run_export(
    run_folder: Path,
    folder: Path,
    settings: ExportSettings,
    where: Address,
    console: Console | None = None,
    trainable: Trainable | None = None,
) -> str:
    """Returns what could not be written, and why; "" if all is written. ``trainable`` is the user's
    own function, if it cannot be imported.

    Raises ``ValueError``, before anything is written, if there is nothing to export.
    """
    console = console or Terminal()
    run = open_run(run_folder)
    folder = folder.expanduser().absolute()
    chosen = chosen_of(run, settings)
    give_trainable(run, trainable)
    if settings.onnx:
        check_onnx()
    if settings.n_seeds:
        check_again(run, settings, chosen)
    with interruptible(), new_folder(folder) as part:
        warn_if_unfinished(run, console)
        trained = _trained(run, chosen, settings, where, console)
        with naming(folder):
            part.mkdir()
            export(run, trained, part, folder.name)
        no_onnx = write_onnx(trained, part) if settings.onnx else ""
    files = ", ".join(sorted(path.name for path in folder.iterdir()))
    size = sum(path.stat().st_size for path in folder.iterdir())
    source = "photo.png" if trained.data.is_image else "mine.csv"
    print_lines(
        console,
        [
            f"model     {shown(folder)}: trained on {trained.trained_on}",
            f"files     {files} ({format_bytes(size)})",
            f"next      {to_type('predict', str(shown(folder)), source)}",
        ],
    )
    return f"the network cannot be written as ONNX: {no_onnx}" if no_onnx else ""


def _trained(
    run: Run,
    chosen: list[Candidate],
    settings: ExportSettings,
    where: Address,
    console: Console,
) -> Trained:
    if not settings.n_seeds:
        return trained_alone(run, chosen[0])
    with for_training(run, where, console) as check:
        check()
        taken = select_among(run, chosen, console)
        done = counted(console, len(taken) * settings.n_seeds)
        return trained_together(run, taken, settings.n_seeds, done)
