"""The runs of a comparison side by side, while the comparison goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.live import plotly_file
from pipelines.live.addresses import quoted
from pipelines.live.folders import Stamp, folders_of_runs, stamp
from pipelines.live.watched import REST
from pipelines.record.files import RunFiles
from pipelines.record.lock import is_held
from pipelines.record.sessions import read_sessions
from pipelines.results import wording
from pipelines.results.algorithms_page import algorithms
from pipelines.results.comparison_page import comparison_page
from pipelines.results.page.model import Link, Page, Section, Words
from pipelines.results.page.render import Head, as_json, joined, render_json, section_json
from pipelines.study.comparing.comparison import Comparison, compare_rows, curves
from pipelines.study.runs import Run, open_run
from trainables.training.metrics import METRICS


class Compared:
    """The page of the comparison in ``folder``, with the runs that have a finished trial."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._spec = stamp(RunFiles(folder).spec)
        self._key: object = None
        self._rests_until = -float("inf")
        self._version = time.time_ns() // 1000
        self._lock = threading.Lock()
        self._head = Head("", "", "")
        self._sections: list[str] = []

    @property
    def is_same(self) -> bool:
        """Whether the folder still holds the comparison that this page shows."""
        return stamp(RunFiles(self._folder).spec) == self._spec

    def page(self, news: str, links: Iterable[Link] = ()) -> str:
        """The page as HTML; its news are at the address ``news``."""
        with self._lock:
            self._refresh()
            return render_json(
                self._head,
                self._content(),
                live=news,
                links=tuple(links),
                plotly=plotly_file.ADDRESS,
            )

    def news(self, seen: int) -> str:
        """What is new since version ``seen``, as JSON."""
        with self._lock:
            self._refresh()
            if self._version > seen:
                return self._content()
            known = [as_json({"id": id}) for id in self._ids]
            return joined(self._head, known, as_json({"n": 0}), version=self._version)

    def _content(self) -> str:
        return joined(self._head, self._sections, as_json({"n": 0}), version=self._version)

    def _refresh(self) -> None:
        started = self._clock()
        if started < self._rests_until:
            return
        cells = folders_of_runs(self._folder)
        key = [
            stamp(Comparison(self._folder).table),
            _goes_on(RunFiles(self._folder)),
            *(_standing(RunFiles(cell)) for cell in cells),
        ]
        if key == self._key:
            return
        page = self._made(cells)
        self._head = Head(self._folder.name, page.subtitle, page.state)
        self._sections = [section_json(section) for section in page.sections]
        self._ids = [section.id for section in page.sections]
        self._key = key
        self._version += 1
        now = self._clock()
        self._rests_until = now + REST * (now - started)

    def _made(self, cells: Iterable[Path]) -> Page:
        runs = [run for cell in cells if (run := open_run(cell)).finished]
        if runs:
            page = comparison_page(runs, self._address, self._state())
            return replace(page, sections=[*self._algorithms(runs), *page.sections])
        nothing = Section("outcome", "What came out", [Words("No trial has finished.")])
        return Page(self._folder.name, "", "The comparison has begun.", [nothing])

    def _state(self) -> str:
        """Between two of its runs, no run says that the comparison goes on."""
        if not _goes_on(RunFiles(self._folder)):
            return ""
        done = wording.count(len(Comparison(self._folder).cells()), "run")
        return f"The comparison goes on: {done} finished so far."

    def _address(self, run: Run) -> str:
        """The address of a run's page, which lies below that of the comparison."""
        return quoted(f"{self._folder.name}/{run.files.folder.name}")

    def _algorithms(self, runs: Sequence[Run]) -> Iterator[Section]:
        """What ``compare.py`` shows in the end, for the cells that are finished so far."""
        name = runs[0].metric
        if cells := Comparison(self._folder).cells():
            rows = compare_rows(cells, METRICS[name])
            yield algorithms(rows, curves(cells, runs, METRICS[name]), name)


def _standing(files: RunFiles) -> tuple[Stamp, Stamp, bool]:
    """A value that changes when a run goes on or ends. It includes the lock, because a driver that
    is killed writes nothing."""
    return stamp(files.journal), stamp(files.sessions), _goes_on(files)


def _goes_on(files: RunFiles) -> bool:
    begun = any(session.ended is None for session in read_sessions(files)[-1:])
    return begun and is_held(files)
