"""The runs in a folder: where they lie, and a line about each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from pipelines.record.files import RunFiles
from pipelines.record.header import read_header
from pipelines.record.scores import shown_score
from pipelines.results import wording
from pipelines.results.endings import unfinished
from pipelines.study.runs import Run, open_run

_MOST_LETTERS = 100  # of an error

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class Row:
    """A run in a line. ``path`` is relative to the folder of runs, ``at`` when it was last heard
    of."""

    path: str
    at: float
    state: str
    what: str = ""
    trials: str = ""
    best: str = ""


def stamp(path: Path) -> Stamp:
    """A value that changes when the content of a file changes; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def is_comparison(folder: Path) -> bool:
    """Whether ``folder`` holds the runs of a comparison and is not a run itself."""
    if RunFiles(folder).journal.is_file():
        return False
    try:
        return "compared" in read_header(folder)[0]
    except ValueError:
        return False


def folders_of_runs(path: Path) -> list[Path]:
    """The folders in ``path`` that hold a run, or a comparison, and that may be looked into."""
    try:
        return sorted(p for p in path.iterdir() if stamp(RunFiles(p).spec))
    except OSError:
        return []


class Listing:
    """The runs in a folder. A run is read again only if its files have changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[tuple[Stamp, ...], Row]] = {}

    def rows(self) -> list[Row]:
        """Running runs first, then the others; within both, the latest first."""
        rows: list[Row] = []
        for folder in folders_of_runs(self.root):
            if is_comparison(folder):
                cells = [self._row(f"{folder.name}/{p.name}") for p in folders_of_runs(folder)]
                rows += [*_of_comparison(folder, cells), *cells]
            else:
                rows.append(self._row(folder.name))
        self._known = {row.path: self._known[row.path] for row in rows if row.path in self._known}
        return sorted(rows, key=lambda row: (row.state == "running", row.at), reverse=True)

    def _row(self, path: str) -> Row:
        files = RunFiles(self.root / path)
        stamps = tuple(
            map(stamp, (files.spec, files.journal, files.events, files.live, files.sessions))
        )
        known = self._known.get(path)
        if known is None or known[0] != stamps or known[1].state in ("running", "silent"):
            known = stamps, _read(path, files)
            self._known[path] = known
        return known[1]


def _of_comparison(folder: Path, cells: Sequence[Row]) -> Iterator[Row]:
    if cells:
        at = max(cell.at for cell in cells)
        n = wording.count(len(cells), "run")
        yield Row(folder.name, at, "comparison", "its runs on one page", n)


def _read(path: str, files: RunFiles) -> Row:
    stamps = map(stamp, (files.spec, files.journal))
    at = max((found[0] / 1e9 for found in stamps if found), default=time.time())
    try:
        run = open_run(files.folder)
        return _row_of(run, path, at)
    except (ValueError, OSError) as error:  # of another version, moved away, or not ours to read
        return Row(path, at, "not readable", what=shorten(str(error), _MOST_LETTERS))


def _row_of(run: Run, path: str, at: float) -> Row:
    problem, live = run.spec.problem, run.live
    what = f"{problem.name} with {run.spec.search.algo} on {problem.data}"
    if live is not None and not live.is_over:
        state = "silent" if live.is_late else "running"
        trials = f"{live.finished} of {live.total}"
        if live.phase == "repeats":
            return Row(path, live.at, state, what, f"{trials} repeats", _best(run))
        return Row(path, live.at, state, what, trials, _score(run, live.best))
    if live is not None:
        ended = "ended without a word"
    elif not run.sessions:  # the record of an older version does not say
        ended = "not known"
    else:
        ended = "not complete" if unfinished(run) else "over"
    return Row(path, at, ended, what, str(len(run.finished)), _best(run))


def _best(run: Run) -> str:
    return _score(run, None if run.best is None else run.best.value)


def _score(run: Run, value: float | None) -> str:
    return "" if value is None else f"{run.metric} {shown_score(value)}"


def since(at: float) -> str:
    """How long ago ``at`` was, in words."""
    gone = max(0.0, time.time() - at)
    if gone < 60:
        return "now"
    if gone < 24 * 3600:
        return f"{wording.duration(gone)} ago"
    return time.strftime("%d %b %Y %H:%M", time.localtime(at))
