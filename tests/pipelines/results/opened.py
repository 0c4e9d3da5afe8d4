"""The page of a run, open in headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.results.page.model import Section
from pipelines.results.report import write_report
from pipelines.results.run_page import report_page
from pipelines.study.runs import open_run
from search_spaces import Choice, Float, SearchSpace
from tests.pipelines.browser import Browser, browser
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import FAILED, made, searched

SPACE = SearchSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "a": Float(0.0, 1.0),
        "<img src=x onerror=window.broken=1>": Choice(("<b>x</b>", "y")),
    }
)

TRIALS = [
    *searched(40, SPACE),
    made(
        [0.5],
        FAILED,
        {"lr": 0.1, "a": 0.5, "<img src=x onerror=window.broken=1>": "y"},
        error="<script>window.broken=1</script>",
        trial_id="failed",
        node="n",
    ),
]

SELECTED = "[...document.querySelectorAll('tr[aria-selected]')].map(row => Number(row.dataset.row))"

SHOWN = "[...document.querySelectorAll('.trials tbody tr')].map(row => Number(row.dataset.row))"

PLOT = "document.querySelector('#figure-{} .plot')"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as tab:
        yield tab


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "it"
    write_run(folder, TRIALS, space=SPACE, trainable="m:f", max_epochs=3, trials=len(TRIALS))
    write_report(open_run(folder))
    return folder


@pytest.fixture
def page(chromium: Browser, folder: Path) -> Browser:
    chromium.look(1280, 800)
    chromium.open((folder / "report.html").as_uri())
    return chromium


def section_of(folder: Path, id: str) -> Section:
    return next(s for s in report_page(open_run(folder)).sections if s.id == id)
