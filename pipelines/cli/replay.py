"""``replay.py``: trains a trial again, and says whether the numbers are as recorded."""

from __future__ import annotations

from pathlib import Path

from pipelines.cli.command import FAILURE
from pipelines.cli.text import Terminal, format_config, print_plain
from pipelines.study.runs import open_run
from pipelines.winner.candidates import find_trial
from pipelines.winner.replaying import (
    ReplayedEpoch,
    check_replayable,
    other_circumstances,
    replay,
)


def run_replay(folder: Path, name: str) -> int:
    """Returns the exit code, which is ``FAILURE`` if a number differs.

    Raises ``ValueError`` if there is no such trial, or if it cannot be trained again.
    """
    run = open_run(folder)
    number, trial = find_trial(run, name)
    check_replayable(run, number, trial)
    console = Terminal()
    config = format_config(trial.config, run.space)
    print_plain(console, f"trial {number:<4}seed {trial.seed}, {config}")

    def show(epoch: ReplayedEpoch) -> None:
        value = epoch.metrics.get(run.metric)
        told = f"{run.metric} {value!r}" if value is not None else ""
        same = "the same" if not epoch.differences else "differs"
        print_plain(console, f"epoch {epoch.epoch:<4}{told}: {same}")
        for d in epoch.differences:
            print_plain(console, f"          {d.metric}: {d.recorded!r} recorded, {d.now!r} now")

    epochs = replay(run, trial, show)
    compared, exact = sum(e.compared for e in epochs), sum(e.exact for e in epochs)
    if len(epochs) == trial.epochs and not any(e.differences for e in epochs):
        print_plain(
            console,
            f"replayed  {len(epochs)} epochs: all {compared} numbers are as recorded, {exact} of "
            "them with all their digits, the others with the six digits that are kept",
        )
        return 0
    print_plain(console, f"replayed  {len(epochs)} of {trial.epochs} epochs: not as recorded")
    for line in other_circumstances(run, trial) or ["nothing that the record knows of"]:
        print_plain(console, f"changed   {line}")
    return FAILURE
