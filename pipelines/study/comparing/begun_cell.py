"""A cell of a comparison whose folder exists: it ends as its record says, goes on, or begins anew.

No record is ever deleted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from pipelines.record.files import RunFiles
from pipelines.record.journal import load_journal
from pipelines.record.lock import holding
from pipelines.study.result import AS_ASKED, StudyResult
from pipelines.study.resume.changes import changed
from pipelines.study.resume.left import searched
from pipelines.study.resume.resuming import resume
from pipelines.study.run_study import end_run
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from pipelines.study.typed import shown


def run_cell(
    study: Study, run: Callable[[Study], StudyResult], say: Callable[[str], None]
) -> StudyResult:
    """The result of the cell ``study``: that of its record if this is complete; else what ``run``
    returns for the study, which goes on with the trials of the record if it can. If it cannot, the
    folder is moved aside. ``say`` gets a line about what happens to the trials.

    Raises ``ValueError`` if another process works on the cell.
    """
    files = RunFiles(study.folder)
    if files.folder.is_dir():
        with holding(files):
            try:
                if result := _recorded(study):
                    return result
                again = resume(study.folder, study.spec)
            except ValueError as error:
                why = str(error)
            else:
                for note in again.notes:
                    say(note)
                if (result := searched(again)) is not None:
                    end_run(again, "search")
                    return result
                return run(again)
        _set_aside(files, why, say)
    return run(study)


def _recorded(study: Study) -> StudyResult | None:
    """The result of the cell if its record is complete. Raises ``ValueError`` for a record that
    cannot be read, and for one with other settings."""
    run = open_run(study.folder)
    if changes := changed(run.spec_in_place, run.placed(study.spec)):
        names = ", ".join(name for fields in changes.values() for name in fields)
        raise ValueError(f"it was searched with other settings: {names}")
    if run.sessions and run.sessions[-1].by in AS_ASKED:
        return run.result
    return None


def _set_aside(files: RunFiles, why: str, say: Callable[[str], None]) -> None:
    """Move the folder away, so that the cell can begin anew."""
    cell, parent = files.folder.name, files.folder.parent / "aside"
    aside = next(p for n in itertools.count(1) if not (p := parent / f"{cell}-{n}").exists())
    try:
        number = f"{len(load_journal(files.journal))} "
    except ValueError:
        number = ""
    parent.mkdir(exist_ok=True)
    files.folder.rename(aside)
    say(f"note      {cell} cannot go on: {why}")
    say(f"note      {cell} begins anew without its {number}finished trials, kept in {shown(aside)}")
