"""What is written into a run's folder when its search is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.record.files import RunFiles
from pipelines.record.goals import Goals
from pipelines.record.table import front_table, trials_table
from pipelines.record.trials import FinishedTrial
from pipelines.record.whole import replacing
from pipelines.study.repeats import judged, write_winner
from pipelines.study.result import StudyResult
from pipelines.study.study import Study

if TYPE_CHECKING:
    import pandas as pd


def finish(study: Study, result: StudyResult) -> None:
    """Write the table of the trials, and the config of the winner for now: of the best by repeats
    if there are some, else of the best trial."""
    files, seeds = RunFiles(study.folder), study.spec.budget.repeats or 0
    write_table(files, result.trials, study.goals)
    repeated = study.resumed.repeats.trials if study.resumed else []
    if known := judged(repeated, result.trials, study.goals, seeds):
        write_winner(files, known[0].config)
    elif result.best is not None:
        write_winner(files, result.best.config)


def write_table(files: RunFiles, trials: Sequence[FinishedTrial], goals: Goals) -> Path:
    """Write the table of the trials, whole or not at all; returns its path. If there are several
    objectives, also write the table of the Pareto front beside it.

    Raises ``ValueError`` if the file cannot be written.
    """
    if goals.several:
        _write(front_table(trials, goals), files.front)
    return _write(trials_table(trials, goals.requirements), files.table)


def _write(table: pd.DataFrame, path: Path) -> Path:
    try:
        with replacing(path) as part:
            table.to_csv(part, index=False, errors="backslashreplace")
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None
    return path
