"""A run that somebody watches: its page, and what is new on it. A part of the page is made again
only if something in it has changed.

Some figures take seconds to make, and a search may use the same processors. So a part of the page
then rests for twenty times as long as that took. The current numbers of the search never rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from pipelines.live import plotly_file
from pipelines.live.folders import Stamp, stamp
from pipelines.record.files import RunFiles
from pipelines.record.journal import JournalReader
from pipelines.record.live import Live, read_live
from pipelines.record.sessions import read_sessions
from pipelines.record.trials import FinishedTrial
from pipelines.results.findings import Findings
from pipelines.results.page.model import Link, Section
from pipelines.results.page.render import as_json, joined, render_json, section_json
from pipelines.results.run_page import QUICK, SECTIONS, now_sections, page_head, table_of
from pipelines.results.sections.outcome import outcome
from pipelines.study.runs import Run, open_run

REST = 20.0  # times as long as a part took to make

Make = Callable[[Findings], Section | None]
_TABLE = "table"


class Watched:
    """The page of the run in ``folder``.

    Raises ``ValueError`` if it is not a run, if its record cannot be read, or if the record has
    lost trials.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        # The surface needs it. If its first making imported it, it would rest for that long too.
        import sklearn.gaussian_process  # noqa: F401

        self._clock = clock
        self._files = RunFiles(folder)
        self._run: Run = open_run(folder)
        self._opened_size = _size(self._files.journal)
        if self._files.journal.is_file() or self._files.events.is_file():
            _ = self._run.finished  # raises what a JournalReader does not notice
        self._journal = JournalReader(self._files.journal)
        self._journal_size = 0
        self._spec = stamp(self._files.spec), begun(self._files)
        self._version = time.time_ns() // 1000  # greater than any version of an earlier server
        self._texts: dict[str, tuple[int, str, str]] = {}  # by part: version, id, JSON
        self._outcome = _Tier([outcome])  # beside the current numbers, old ones would be wrong
        self._quick = _Tier([make for make in SECTIONS if make in QUICK and make is not outcome])
        self._slow = _Tier([make for make in SECTIONS if make not in QUICK])
        self._lock = threading.Lock()  # several requests may ask for a page at once

    @property
    def journal(self) -> Path:
        """The file of its finished trials, in Optuna's format."""
        return self._files.journal

    @property
    def is_same(self) -> bool:
        """Whether the folder still holds the run that this page shows, with the same settings and
        all the trials that have been read."""
        same = (stamp(self._files.spec), begun(self._files)) == self._spec
        return same and _size(self._files.journal) >= self._journal_size

    def page(self, news: str, links: Iterable[Link] = ()) -> str:
        """The page as HTML; its news are at the address ``news``."""
        with self._lock:
            self._refresh()
            return render_json(
                page_head(self._run),
                self._content(0),
                live=news,
                links=tuple(links),
                plotly=plotly_file.ADDRESS,
            )

    def news(self, seen: int) -> str:
        """What is new since version ``seen``, as JSON."""
        with self._lock:
            self._refresh()
            return self._content(seen)

    def _content(self, seen: int) -> str:
        order = ["now", *(make.__name__ for make in SECTIONS)]
        parts = [self._texts[name] for name in order if name in self._texts]
        sections = [text if v > seen else as_json({"id": id}) for v, id, text in parts]
        version, _, table = self._texts[_TABLE]
        head = page_head(self._run)
        return joined(head, sections, table if version > seen else "", version=self._version)

    def _refresh(self) -> None:
        live = self._live()
        gone = live is None or live.is_over
        record, self._journal_size = self._record_stamp(), _size(self._files.journal)
        self._run = self._run.with_news(self._finished(), live)
        self._put_section("now", next(iter(now_sections(self._run)), None))
        news = stamp(self._files.live)
        for tier, key in (
            (self._outcome, (record, gone)),
            (self._quick, (record, gone, news)),
            (self._slow, (record, gone)),
        ):
            started = self._clock()
            if tier.key == key or (started < tier.rests_until and not gone):
                continue
            found = Findings(self._run)
            for make in tier.makes:
                self._put_section(make.__name__, make(found))
            if tier is self._quick:
                self._put(_TABLE, "", as_json(table_of(found)))
            tier.key = key
            now = self._clock()
            tier.rests_until = now + REST * (now - started)

    def _finished(self) -> list[FinishedTrial]:
        """The finished trials. A long journal takes a second to read: it is read once more only
        after it has grown."""
        if self._journal_size == self._opened_size > 0:
            return self._run.finished
        return self._journal.trials()

    def _live(self) -> Live | None:
        return read_live(self._files)

    def _record_stamp(self) -> tuple[Stamp, ...]:
        of = self._files
        files = of.journal, of.repeats, of.winner, of.looks, of.sessions, of.baselines
        return tuple(map(stamp, files))

    def _put_section(self, name: str, section: Section | None) -> None:
        if section is None:
            self._texts.pop(name, None)
        else:
            self._put(name, section.id, section_json(section))

    def _put(self, name: str, id: str, text: str) -> None:
        if name not in self._texts or self._texts[name][2] != text:
            self._version += 1
            self._texts[name] = self._version, id, text


def _size(path: Path) -> int:
    found = stamp(path)
    return 0 if found is None else found[1]


def begun(files: RunFiles) -> int:
    """How many drivers have worked on a run: each may have changed its settings."""
    return len(read_sessions(files))


class _Tier:
    """Parts of the page that are made at the same time."""

    def __init__(self, makes: list[Make]) -> None:
        self.makes = makes
        self.key: object = None
        self.rests_until = -float("inf")
