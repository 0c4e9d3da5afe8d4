"""The pages of a server, by their addresses: the list of runs, and a page for each run."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.live.addresses import HOME, NEWS, OPTUNA, RUN, quoted
from pipelines.live.compared import Compared
from pipelines.live.folders import Listing, Row, is_comparison, since
from pipelines.live.gone import Gone
from pipelines.live.optuna_pages import OptunaPages
from pipelines.live.watched import Watched
from pipelines.results import wording
from pipelines.results.page.model import Block, Link, Section, Table, Words
from pipelines.results.page.render import Head, as_json, joined, render_json, section_json

MOST_WATCHED = 20  # runs that are kept in memory
_MOST_ROWS = 500


class Pages:
    """``roots`` gives the folders of runs. It is called for each request, because there may be new
    folders. Addresses contain the names of these folders, and none leads outside them. With
    ``optuna`` the page of a run links to optuna-dashboard."""

    def __init__(self, roots: Callable[[], Sequence[Path]], *, optuna: bool = False) -> None:
        self._roots = roots
        self._optuna = OptunaPages() if optuna else None
        self._listings: dict[Path, Listing] = {}
        self._watched: OrderedDict[Path, Watched | Compared] = OrderedDict()
        self._lock = threading.Lock()
        self._sections: list[str] = []
        self._version = time.time_ns() // 1000

    def list_page(self) -> str:
        """The list of all runs, as HTML."""
        with self._lock:
            return render_json(self._head(), self._content(0), live=NEWS, plotly="")

    def list_news(self, seen: int) -> str:
        """What is new in the list since version ``seen``, as JSON."""
        with self._lock:
            return self._content(seen)

    def run_page(self, path: str) -> str:
        """The page of the run at ``path``, as HTML. Raises :class:`Gone`."""
        found, links = self._find(path), [Link("All runs", HOME)]
        if self._optuna is not None and isinstance(found, Watched):
            links.append(Link("optuna-dashboard", f"{OPTUNA}/{quoted(path)}"))
        return found.page(f"{NEWS}/{quoted(path)}", links)

    def run_news(self, path: str, seen: int) -> str:
        """What is new on that page since version ``seen``, as JSON. Raises :class:`Gone`."""
        return self._find(path).news(seen)

    def optuna_address(self, path: str) -> str:
        """The address of optuna-dashboard for the run at ``path``. Raises :class:`Gone`."""
        found = self._find(path)
        if self._optuna is None or not isinstance(found, Watched):
            raise Gone(f"there is no optuna-dashboard for {path}")
        return self._optuna.address(found.journal)

    def _find(self, path: str) -> Watched | Compared:
        name, _, below = path.partition("/")
        root = self._named().get(name)
        parts = below.split("/")
        if root is None or not all(parts) or any(part.startswith(".") for part in parts):
            raise Gone(f"no run {path}")
        folder = root / below
        with self._lock:
            known = self._watched.get(folder)
            if known is None or not known.is_same:
                try:
                    known = Compared(folder) if is_comparison(folder) else Watched(folder)
                except (ValueError, OSError) as error:
                    raise Gone(" ".join(str(error).split())) from None
                self._watched[folder] = known
            self._watched.move_to_end(folder)
            if len(self._watched) > MOST_WATCHED:
                self._watched.popitem(last=False)
        return known

    def _named(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for root in self._roots():
            names = [root.name, *(f"{root.name}-{n}" for n in range(2, len(found) + 2))]
            found[next(name for name in names if name not in found)] = root
        return found

    def _head(self) -> Head:
        folders = ", ".join(str(root) for root in self._roots())
        return Head("Runs", folders, "")

    def _content(self, seen: int) -> str:
        sections, n_running, n = [], 0, 0
        for number, (name, root) in enumerate(self._named().items()):
            rows = self._listings.setdefault(root, Listing(root)).rows()
            n_running += sum(row.state == "running" for row in rows)
            n += sum(row.state != "comparison" for row in rows)
            title = str(root) if len(self._named()) > 1 else ""
            sections.append(section_json(_section(f"runs-{number}", title, name, rows)))
        if sections != self._sections:
            self._sections = sections
            self._version += 1
        state = f"{wording.count(n, 'run')}, {n_running or 'none'} of them running."
        head = self._head()._replace(state=state)
        ids = [as_json({"id": json.loads(section)["id"]}) for section in sections]
        news = sections if self._version > seen else ids
        return joined(head, news, as_json({"n": 0}), version=self._version)


def _section(id: str, title: str, name: str, rows: Sequence[Row]) -> Section:
    blocks: list[Block] = []
    if rows:
        lines: list[list[str | Link]] = [
            [
                Link(row.path, f"{RUN}/{quoted(name)}/{quoted(row.path)}"),
                row.state,
                row.trials,
                row.best,
                since(row.at),
                row.what,
            ]
            for row in rows[:_MOST_ROWS]
        ]
        blocks.append(Table(["run", "state", "trials", "best", "last heard of", "search"], lines))
    else:
        blocks.append(Words("A search that writes into this folder appears here by itself."))
    if len(rows) > _MOST_ROWS:
        blocks.append(Words(f"The latest {_MOST_ROWS} of {len(rows)}.", "note"))
    return Section(id, title, blocks)
