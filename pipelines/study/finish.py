"""What a run's folder gets when its search is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.record.files import RunFiles
from pipelines.record.table import trials_table
from pipelines.record.trials import FinishedTrial
from pipelines.study.repeats import write_winner
from pipelines.study.result import StudyResult
from pipelines.study.study import Study


def finish(study: Study, result: StudyResult) -> None:
    """Write the table of the trials, and the winner's config: that of the best trial, for now."""
    files = RunFiles(study.folder)
    write_table(files, result.trials)
    if result.best is not None:
        write_winner(files, result.best.config)


def write_table(files: RunFiles, trials: Sequence[FinishedTrial]) -> Path:
    """Write the table of the trials, whole or not at all; returns its path.

    Raises ``ValueError`` where something else is in its place.
    """
    part = files.table.with_suffix(".part")
    try:
        trials_table(trials).to_csv(part, index=False, errors="backslashreplace")
        part.replace(files.table)
    except OSError as error:
        raise ValueError(f"{files.table} cannot be written: {error.strerror}") from None
    return files.table
