"""Writes the record of a run while it runs. Only the driver does so."""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.record.events import Events
from pipelines.record.files import RunFiles
from pipelines.record.goals import Goals
from pipelines.record.header import write_header
from pipelines.record.journal import Journal
from pipelines.record.lines import repair
from pipelines.record.patience import naming, patient
from pipelines.record.sessions import Session, note_killed, read_sessions
from pipelines.record.trials import FinishedTrial
from pipelines.record.weights import keep_weights
from search_spaces import SearchSpace


class Record:
    """The finished trials of a search, or of its repeats, with errors, output and weights. For a
    search that can be resumed, also what happened, in order.

    :meth:`flush` writes trials and events, in their order, so that a process that waits for its
    next trial does not wait for a disk. If the driver is killed before that, the record is that of
    a moment ago.
    """

    def __init__(
        self,
        files: RunFiles,
        journal: Path,
        space: SearchSpace,
        goals: Goals,
        *,
        events: Path | None = None,
        before: Iterable[FinishedTrial] = (),
    ) -> None:
        """``before`` are the trials that are already in the journal."""
        self.files = files
        self._unwritten: deque[Callable[[], None]] = deque()
        self.events = None if events is None else Events(events, later=self._unwritten.append)
        self._trials = {trial.trial_id: trial for trial in before}
        self._journal = Journal(journal, space, goals)

    @property
    def trials(self) -> list[FinishedTrial]:
        """The trials in the order in which they ended."""
        return list(self._trials.values())

    def append(self, trial: FinishedTrial) -> None:
        """Add a trial. It replaces its earlier entry if it was cut short before, or trained on."""
        self._unwritten.append(partial(self._journal.append, trial))
        self._trials.pop(trial.trial_id, None)
        self._trials[trial.trial_id] = trial
        if self.events is not None and not trial.cut_short:
            self.events.ended(trial.trial_id)

    def flush(self) -> None:
        """Everything is on disk when this returns. Raises ``StorageError`` if a write fails. The
        remaining writes are then dropped, because no line may be missing between others."""
        try:
            while self._unwritten:
                self._unwritten.popleft()()
        finally:
            self._unwritten.clear()

    def close(self) -> None:
        self.flush()
        if self.events is not None:
            self.events.close()

    @patient
    def write_error(self, trial_id: str, text: str) -> None:
        """Keep the whole traceback of a failed trial."""
        path = self.files.errors / f"{trial_id}.txt"
        with naming(path):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    @patient
    def write_printed(self, trial_id: str, text: str) -> None:
        """Append what a trial has printed since the last call."""
        path = self.files.printed / f"{trial_id}.txt"
        with naming(path):
            path.parent.mkdir(exist_ok=True)
            with path.open("a", errors="replace") as file:
                file.write(text)

    @patient
    def keep_weights(self, trial: FinishedTrial, path: Path) -> None:
        """Keep the weights in ``path``: ``trial`` is the best so far or, for a repeat, the best
        with its config."""
        if trial.repeat_of:
            self.files.repeated_weights.mkdir(exist_ok=True)
        kept = self.files.weights_of(trial)
        with naming(kept):
            keep_weights(trial, path, kept)


def start_run(
    files: RunFiles,
    settings: Mapping[str, Any],
    prepared: Mapping[str, Any],
    preprocessing: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Create the folder of a run, with its settings and the preprocessing of its inputs. An error
    or an interruption leaves no folder: it would only take the name.

    Raises ``ValueError`` if the folder exists.
    """
    try:
        files.folder.mkdir(parents=True)
    except FileExistsError:
        raise ValueError(f"a run exists in {files.folder}: choose another `name`") from None
    try:
        if preprocessing:
            files.preprocessing.write_text(json.dumps(list(preprocessing), allow_nan=False) + "\n")
        write_header(files, settings, prepared)
    except BaseException:
        shutil.rmtree(files.folder, ignore_errors=True)
        raise


def mend(files: RunFiles, killed: Session | None) -> None:
    """Prepare the files of a run that is resumed. Removes incomplete lines and files. If the
    previous driver was killed, records the end of its session, as ``killed`` has it."""
    for path in files.appended:
        repair(path)
    for folder in (files.folder, files.repeated_weights):
        for part in folder.glob(".*.part"):  # of a file that was not written whole
            part.unlink(missing_ok=True)
    sessions = read_sessions(files)
    if sessions and sessions[-1].ended is None and killed is not None:
        note_killed(files, killed)
