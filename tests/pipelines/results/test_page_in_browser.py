"""The page of a run in headless Chromium: what clicks do, and what news change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.sets.configs import LENET
from pipelines.record.files import RunFiles
from pipelines.record.live import write_live
from pipelines.results.page.model import Code
from pipelines.results.page.render import page_json
from pipelines.results.report import write_report
from pipelines.results.run_page import report_page
from pipelines.study.runs import open_run
from tests.pipelines.browser import CHROMIUM, Browser
from tests.pipelines.live.standing import standing
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import FAILED, made, searched
from tests.pipelines.results.opened import (
    PLOT,
    SELECTED,
    SPACE,
    TRIALS,
    chromium,
    folder,
    page,
    section_of,
)

__all__ = ["chromium", "folder", "page"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium")


def traces_of_chosen(page: Browser, figure: str, number: int) -> int:
    return int(
        page.evaluate(f"{PLOT.format(figure)}.data.filter(t => t.name === 'trial {number}').length")
    )


def test_everything_is_drawn_without_an_error_and_without_a_request(page: Browser) -> None:
    assert page.evaluate("document.querySelectorAll('.plot .main-svg').length") > 10
    assert page.messages == []
    assert [r for r in page.requests if not r.startswith(("file:", "data:", "blob:"))] == []
    assert page.evaluate("window.broken") is None
    names = "[...document.querySelectorAll('.plot')].map(plot => plot.getAttribute('aria-label'))"
    assert "Best so far: val_accuracy against epochs" in page.evaluate(names)
    assert all(page.evaluate(names))


def test_a_click_chooses_a_trial_everywhere(page: Browser) -> None:
    (best,) = page.evaluate(SELECTED)
    other = next(n for n in range(40) if n != best and not TRIALS[n].diverged)
    page.evaluate(
        f"{PLOT.format('slice-0')}.emit('plotly_click', {{points: [{{customdata: {other}}}]}})"
    )
    page.wait_for(f"({SELECTED})[0] === {other}")
    page.wait_for("!figures.waiting.length")
    for figure in ("curves", "slice-0", "parallel", "best-trials", "timeline"):
        assert traces_of_chosen(page, figure, other) == 1, figure
        assert traces_of_chosen(page, figure, best) == 0, figure
    told = page.evaluate("document.querySelector('#chosen summary').textContent")
    assert told.startswith(f"Trial {other} ({TRIALS[other].trial_id}) state ")


def test_a_figure_that_fails_keeps_no_other_from_being_drawn(page: Browser) -> None:
    page.evaluate(
        "(() => { const react = Plotly.react; window.drawn = [];"
        " Plotly.react = (place, ...more) => {"
        "  if (place.closest('#figure-curves')) throw new Error('no'); window.drawn.push(place);"
        "  return react(place, ...more); }; figures.redraw(); })()"
    )
    page.wait_for("!figures.waiting.length", seconds=10)
    assert page.evaluate("window.drawn.length") == page.evaluate("figures.drawn.size - 1")
    page.messages.clear()


def press(page: Browser, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        page.call(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, text="\r" * (key == "Enter")
        )


def test_the_first_click_on_the_best_opens_its_details_and_escape_closes_them(
    page: Browser,
) -> None:
    (best,) = page.evaluate(SELECTED)
    hidden = "document.querySelector('#chosen').hidden"
    assert page.evaluate(hidden)
    page.evaluate(f"document.querySelector('tr[data-row=\"{best}\"]').click()")
    assert not page.evaluate(hidden)
    assert page.evaluate(SELECTED) == [best]
    page.evaluate("document.querySelector('#chosen button').focus()")
    press(page, "Escape")
    assert page.evaluate(hidden)
    assert page.evaluate(SELECTED) == []
    assert page.evaluate("Number(document.activeElement.dataset.row)") == best


def test_the_keyboard_stays_where_it_is(page: Browser) -> None:
    """In the sortable head, and in a row while news arrive. A hidden bar takes no focus."""
    focused = "document.activeElement.textContent"
    page.evaluate(
        "[...document.querySelectorAll('th button')].find(b => b.textContent === 'lr').focus()"
    )
    for mark, sorted_ in (("lr ▲", "ascending"), ("lr ▼", "descending")):
        press(page, "Enter")
        assert page.evaluate(focused) == mark
        assert page.evaluate("document.activeElement.parentNode.ariaSort") == sorted_
    assert page.evaluate("document.querySelectorAll('th[aria-sort]').length") == 1
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(ring) == "solid"
    page.evaluate("document.querySelector('tr[data-row=\"7\"]').focus()")
    page.evaluate("update(JSON.parse(document.getElementById('page-data').textContent))")
    assert page.evaluate("document.activeElement.dataset.row") == "7"
    place = page.evaluate("scrollY")
    press(page, " ")
    assert page.evaluate(SELECTED) == [7]
    assert page.evaluate("scrollY") == place
    page.evaluate("CONFIG.displayModeBar = 'hover'; figures.redraw(); figures.drawAll()")
    assert page.evaluate("document.querySelectorAll('.modebar-btn').length") > 20
    assert (
        page.evaluate("document.querySelectorAll('.modebar-btn:not([tabindex=\"-1\"])').length")
        == 0
    )


def test_of_two_rows_of_a_trial_the_last_has_the_keyboard(page: Browser) -> None:
    """The search was interrupted and resumed."""
    page.evaluate("page.trials.content.ids[9] = page.trials.content.ids[7]; table.fill()")
    page.evaluate("table.focus(page.trials.content.ids[7])")
    assert page.evaluate("document.activeElement.dataset.row") == "9"


def test_the_chosen_trial_shows_all_its_curves(page: Browser) -> None:
    assert page.evaluate(f"{PLOT.format('chosen')}.data.map(trace => trace.name)") == [
        "val_accuracy"
    ]


def test_a_chosen_trial_without_a_curve_leaves_no_empty_figure(
    chromium: Browser, tmp_path: Path
) -> None:
    trials = [made([0.5, 0.6], config=LENET), made([], FAILED, LENET)]
    write_report(open_run(write_run(tmp_path / "it", trials)))
    chromium.open((tmp_path / "it" / "report.html").as_uri())
    words = f"{PLOT.format('chosen')}.querySelector('.annotation-text')?.textContent"
    for row, told in ((1, "This page has no curve of trial 1."), (0, None)):
        chromium.evaluate(f"choose({row})")
        chromium.wait_for("figures.waiting.length === 0")
        assert chromium.evaluate(words) == told


def test_the_curves_of_the_chosen_trial_are_called_as_it_reported_them(
    chromium: Browser, tmp_path: Path
) -> None:
    """Plotly would take <i> for italics. The spread over folds is hidden at first."""
    names = ["val_accuracy", "val_loss", "val_loss_std", "a & b<i>"]
    trial = made([0.4, 0.5], config={"lr": 0.5, "a": 0.5}, curves={n: [0.4, 0.5] for n in names})
    folder = write_run(tmp_path / "it", [trial], space=SPACE, trainable="m:f", max_epochs=2)
    write_report(open_run(folder))
    chromium.look(1280, 800)
    chromium.open((folder / "report.html").as_uri())
    legend = f"[...{PLOT.format('chosen')}.querySelectorAll('.legendtext')]"
    assert chromium.evaluate(f"{legend}.map(text => text.textContent)") == names
    shown = f"{PLOT.format('chosen')}.data.map(trace => trace.visible === true)"
    assert chromium.evaluate(shown) == [True, True, False, False]


def test_commands_are_copied_as_they_are_typed(chromium: Browser, folder: Path) -> None:
    """Although on a narrow page their further lines are indented, and begin with whole words."""
    chromium.look(390, 844)
    chromium.open((folder / "report.html").as_uri())
    commands = [c for c in section_of(folder, "again").blocks if isinstance(c, Code)]
    for n, command in enumerate(commands):
        pre = f"document.querySelectorAll('#again pre')[{n}]"
        selected = chromium.evaluate(
            f"getSelection().selectAllChildren({pre}); getSelection().toString()"
        )
        assert selected.strip() == command.text
        lefts = f"[...{pre}.querySelectorAll('span span')].map(word => word.offsetLeft)"
        at_the_edge = f"{lefts}.filter(left => left === Math.min(...{lefts})).length"
        assert chromium.evaluate(at_the_edge) == len(command.text.splitlines())


def test_an_error_is_shown_as_text(page: Browser) -> None:
    page.evaluate("choose(40)")
    shown = page.evaluate("document.querySelector('#chosen pre').textContent")
    assert shown == "<script>window.broken=1</script>"
    assert page.evaluate("window.broken") is None


def test_news_are_drawn_and_leave_the_chosen_trial_and_the_zoom(
    page: Browser, tmp_path: Path
) -> None:
    (best,) = page.evaluate(SELECTED)
    page.evaluate(f"void Plotly.relayout({PLOT.format('curves')}, {{'xaxis.range': [1, 2]}})")
    news = [replace(t, trial_id=f"new {t.trial_id}") for t in searched(3, SPACE, seed=9)]
    more = [*news, *TRIALS]
    longer = write_run(tmp_path / "it", more, space=SPACE, trainable="m:f", max_epochs=3)
    page.evaluate(f"update({page_json(report_page(open_run(longer)))})")
    page.wait_for("!figures.waiting.length")
    assert "44 of 44 trials" in page.evaluate("document.querySelector('.controls').textContent")
    assert page.evaluate(SELECTED) == [best + 3], "the same trial, whose number is another now"
    assert page.evaluate(f"{PLOT.format('curves')}.layout.xaxis.range") == [1, 2]
    assert page.evaluate("document.querySelectorAll('section').length") == 11
    assert page.messages == []


def test_until_a_reader_chooses_a_trial_the_best_is_chosen(page: Browser, tmp_path: Path) -> None:
    """Also a new best that comes while the search runs."""
    config = {**TRIALS[0].config, "lr": 0.01}
    better = [made([0.98 + 0.005 * n] * 3, config=config, trial_id=f"better {n}") for n in range(2)]
    for n in range(2):
        more = [*TRIALS, *better[: n + 1]]
        folder = write_run(tmp_path / f"{n}", more, space=SPACE, trainable="m:f", max_epochs=3)
        page.evaluate(f"update({page_json(report_page(open_run(folder)))})")
        assert page.evaluate(SELECTED) == [len(TRIALS)]
        page.evaluate(f"choose({len(TRIALS)})")


def test_without_news_the_page_asks_more_and_more_seldom(chromium: Browser, tmp_path: Path) -> None:
    """The last state stays there. Numbers that nobody hears of any more look current: they go."""
    folder = write_run(tmp_path / "it", TRIALS, space=SPACE, trainable="m:f", max_epochs=3)
    write_live(RunFiles(folder), standing())
    write_report(open_run(folder))
    chromium.open((folder / "report.html").as_uri())
    state, now = "document.querySelector('#state').textContent", "document.querySelector('#now')"
    before = chromium.evaluate(state)
    assert before.startswith("The search runs: ")
    chromium.evaluate(
        "window.waits = []; window.setTimeout = (what, wait) => { waits.push(wait); };"
        "news = async () => { throw new Error('the dashboard has ended'); };"
    )
    for _ in range(3):
        chromium.evaluate("poll('x')")
    assert chromium.evaluate(state) == f"{before} No news: the dashboard has ended."
    assert not chromium.evaluate(f"{now}.hidden")
    for _ in range(5):
        chromium.evaluate("poll('x')")
    assert chromium.evaluate("waits") == [2000, 4000, 8000, 16000, 30000, 30000, 30000, 30000]
    assert chromium.evaluate(f"{now}.hidden")
    links = "[...document.querySelectorAll('nav a')].map(a => a.textContent)"
    assert "Now" not in chromium.evaluate(links)
    chromium.evaluate(
        "news = async () => JSON.parse(document.getElementById('page-data').textContent)"
    )
    chromium.evaluate("waits.length = 0; poll('x')")
    assert chromium.evaluate("waits.includes(1000)")
    assert chromium.evaluate(state) == before
    assert not chromium.evaluate(f"{now}.hidden")
    assert "Now" in chromium.evaluate(links)


def test_the_chosen_trial_is_in_the_legend(page: Browser) -> None:
    (best,) = page.evaluate(SELECTED)
    entries = (
        f"[...{PLOT.format('curves')}.querySelectorAll('.legendtext')].map(e => e.textContent)"
    )
    assert f"trial {best}" in page.evaluate(entries)
