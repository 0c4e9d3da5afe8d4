"""A search on this machine, watched in headless Chromium through Ray's dashboard."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.live.addresses import HOME, OPEN
from pipelines.study.interrupts import EXIT_CODES
from tests.pipelines.browser import CHROMIUM, Browser, browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium"),
]

RUN = [sys.executable, str(Path(__file__).parents[3] / "pipelines" / "run.py")]
LINK = re.compile(rf"dashboard +(http://127\.0\.0\.1:\d+){OPEN}#([\w-]+)")
NO_TOKEN = "Unauthorized: Missing authentication token"


class Search:
    """A search, started as on a terminal."""

    def __init__(self, terminal: int, folder: Path) -> None:
        self._terminal = terminal
        self._folder = folder
        self.said = ""

    def read(self) -> bool:
        """Reads its next line; false if it has ended."""
        try:
            self.said += os.read(self._terminal, 65536).decode(errors="replace")
        except OSError:
            return False
        return True

    def link(self) -> tuple[str, str]:
        """The address of the dashboard, and the key."""
        while not (found := LINK.search(self.said)):
            assert self.read(), self.said
        return found[1], found[2]


@contextmanager
def searching(folder: Path, *options: str) -> Iterator[Search]:
    ours, theirs = pty.openpty()
    command = [*RUN, "--address", "local", "--name", "it", *options]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "200", "RAY_TMPDIR": str(folder)},
    )
    os.close(theirs)
    search = Search(ours, folder)
    try:
        yield search
        process.send_signal(signal.SIGINT)
        while search.read():
            pass
        assert process.wait(60) == EXIT_CODES["interrupt"], search.said
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def go(tab: Browser, address: str) -> None:
    tab.call("Page.navigate", url=address)
    tab.wait_for("document.readyState === 'complete'")


def wait_for_answer(tab: Browser, address: str, answer: str) -> None:
    """Waits for an answer, because Ray learns of some things with a delay."""
    end = time.monotonic() + 60
    while True:
        go(tab, address)
        text = tab.evaluate("document.body.textContent")
        if answer in text:
            return
        assert time.monotonic() < end, f"{address} has no {answer}: {text[:3000]}"


def numbers(tab: Browser) -> dict[str, str]:
    """The numbers under "Now" on the page."""
    found: dict[str, str] = tab.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#now .numbers div')]"
        ".map(n => [n.firstElementChild.textContent, n.lastElementChild.textContent]))"
    )
    return found


def files_with(word: str, folder: Path) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and word.encode() in path.read_bytes():
            found.append(path)
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, because Ray's sockets are below it."""
    with tempfile.TemporaryDirectory(prefix="w", dir="/tmp") as path:
        yield Path(path)


def test_a_search_is_watched_inside_rays_dashboard(folder: Path) -> None:
    options = ["--trials", "1000", "--scheduler", "none", "--max-concurrent", "2"]
    with searching(folder, *options) as search, browser() as tab:
        address, key = search.link()
        token = Path("~/.ray/auth_token").expanduser().read_text().strip()
        # Without the token.
        go(tab, f"{address}{HOME}")
        assert tab.evaluate("document.body.textContent") == NO_TOKEN
        go(tab, f"{address}{OPEN}#not-the-key")
        tab.wait_for("!document.querySelector('form').hidden")
        assert "ray get-auth-token" in tab.evaluate("document.body.innerText")
        assert tab.evaluate("location.hash") == ""
        # With the link; after that the address alone is enough.
        go(tab, f"{address}{OPEN}#{key}")
        tab.wait_for(f"location.pathname === {HOME!r} && document.body?.dataset.drawn === 'yes'")
        assert key not in tab.evaluate("location.href")
        row = tab.evaluate("[...document.querySelectorAll('tbody td')].map(n => n.textContent)")
        assert row[:2] == ["it", "running"]
        assert row[5] == "mlp with optuna on digits"
        tab.evaluate("document.querySelector('tbody a').click()")
        tab.wait_for(f"location.pathname.startsWith('{HOME}/run/')")
        tab.wait_for("document.body?.dataset.drawn === 'yes'")
        # As the search goes on, so does the page.
        before = numbers(tab)
        tab.wait_for(
            "[...document.querySelectorAll('#now .numbers div')].some(n => n.firstElementChild"
            ".textContent === 'epochs' && parseInt(n.lastElementChild.textContent) > "
            f"{before['epochs'].split(',')[0]})"
        )
        after = numbers(tab)
        assert after["running"].endswith(" in 2 slots")
        done, _, total = after["trials"].partition(" of ")
        assert (int(done) >= int(before["trials"].split()[0]), total) == (True, "1000")
        assert "The search runs: " in tab.evaluate("document.querySelector('#state').textContent")
        curves = "document.querySelector('#figure-curves .plot').data"
        tab.wait_for(f"{curves}.some(trace => trace.name.startsWith('running'))")
        # Ray's own pages are untouched, and take the same cookie.
        for path, answer in (("/api/version", "ray_version"), ("/nodes?view=summary", "hostname")):
            go(tab, f"{address}{path}")
            assert answer in tab.evaluate("document.body.textContent")
        # They show what runs where.
        for path, answer in (
            ("/api/jobs/", '"job_name": "it"'),
            ("/logical/actors", '"reprName": "it mlp"'),
            ("/events", "it: new best "),
            ("/api/v0/tasks/timeline", "from epoch "),
        ):
            wait_for_answer(tab, f"{address}{path}", answer)
        lines = [path.read_text() for path in folder.glob("ray/session_*/logs/worker-*.out")]
        assert any(re.search(r"^trial \w+ epoch 1 of 30 .*val_accuracy=", t, re.M) for t in lines)
        # The Metrics tab, which would otherwise need Grafana.
        go(tab, f"{address}/#/metrics")
        frame = "document.querySelector('iframe')?.contentDocument?.querySelector('tbody td')"
        tab.wait_for(f"{frame}?.textContent === 'it'")
        go(tab, f"{address}{HOME}/run/runs/gone")
        assert "no run in " in tab.evaluate("document.body.textContent")
        assert "there is no such folder" in tab.evaluate("document.body.textContent")
        # When the search ends, the page ends too.
        go(tab, f"{address}{HOME}/run/runs/it")
        tab.wait_for("document.body?.dataset.drawn === 'yes'")
    assert token not in search.said
    logs = list(folder.glob("ray/session_*/logs/dashboard*"))
    assert logs
    assert files_with(token, folder) == []
    assert files_with(key, folder) == []
    assert not (folder / "runs" / "it" / "live.json").exists()
