"""The page of a run in headless Chromium: what clicks do, and what news change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.sets.configs import LENET
from pipelines.record.files import RunFiles
from pipelines.record.live import write_live
from pipelines.record.looks import Look, add_look
from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.page.model import Code, Section
from pipelines.results.page.render import page_json
from pipelines.results.report import write_report
from pipelines.results.run_page import report_page
from pipelines.study.runs import open_run
from search_spaces import SPACES, Choice, Config, Float, SearchSpace
from tests.pipelines.browser import CHROMIUM, Browser, browser
from tests.pipelines.live.standing import standing
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import CUT_SHORT, FAILED, made, searched
from trainables.baselines import MODELS
from trainables.training.metrics import metrics_of

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium")

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


def traces_of_chosen(page: Browser, figure: str, number: int) -> int:
    return int(
        page.evaluate(f"{PLOT.format(figure)}.data.filter(t => t.name === 'trial {number}').length")
    )


def filter_by(page: Browser, text: str) -> list[int]:
    page.evaluate(
        f"(() => {{ const box = document.querySelector('.trials input'); box.value = {text!r}; "
        "box.dispatchEvent(new Event('input')); })()"
    )
    rows: list[int] = page.evaluate(SHOWN)
    return rows


def sort_by(page: Browser, name: str) -> None:
    heads = "[...document.querySelectorAll('.trials th button')]"
    page.evaluate(f"{heads}.find(head => head.textContent.startsWith({name!r})).click()")


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


def test_the_table_sorts_and_filters(page: Browser) -> None:
    assert filter_by(page, "") == list(range(41))
    low = [n for n, trial in enumerate(TRIALS) if float(trial.config["lr"]) < 0.01]
    assert filter_by(page, "lr<0.01") == low
    diverged = [n for n, trial in enumerate(TRIALS) if trial.diverged]
    assert filter_by(page, "DIVERGED") == diverged
    assert filter_by(page, "lr<0.01 diverged") == []
    for text in ("lr < 0.01", "LR<0.01", " lr <0.01  lr<= 0.01"):
        assert filter_by(page, text) == low
    assert filter_by(page, "trial = 3") == [3]
    stopped = [n for n, trial in enumerate(TRIALS) if trial.stopped_by == "scheduler"]
    assert (
        filter_by(page, "state=stopped early")
        == filter_by(page, "State = Stopped Early")
        == stopped
    )
    assert filter_by(page, "state=stopped early lr<0.01") == sorted({*stopped} & {*low})
    assert filter_by(page, "lr<") == list(range(41)), "not yet typed"
    filter_by(page, "rate<0.01 lr=x")
    count = "document.querySelector('.controls .note').textContent"
    assert page.evaluate(count) == "41 of 41 trials; no column rate; x is no number"
    filter_by(page, "")
    sort_by(page, "trial")
    assert page.evaluate(SHOWN) == list(range(41))[::-1]
    sort_by(page, "trial")
    assert page.evaluate(SHOWN) == list(range(41))
    sort_by(page, "lr")
    by_lr = sorted(range(41), key=lambda n: (TRIALS[n].config["lr"], n))
    assert page.evaluate(SHOWN) == by_lr
    sort_by(page, "lr")
    assert page.evaluate(SHOWN)[0] == by_lr[-1]


def test_the_table_sorts_options_that_are_numbers_as_numbers(
    chromium: Browser, tmp_path: Path
) -> None:
    space = SearchSpace({"batch_size": Choice((128, 256, 32, 64)), "depth": Float(-9.0, 9.0)})
    configs: list[Config] = [
        {"batch_size": 256, "depth": -1.0},
        {"batch_size": 32, "depth": 0.0},
        {"batch_size": 128, "depth": -3.0},
        {"batch_size": 64},
        {"batch_size": 32, "depth": 2.0},
    ]
    trials = [made([0.5], config=config, trial_id=str(n)) for n, config in enumerate(configs)]
    folder = write_run(tmp_path / "it", trials, space=space, trainable="m:f", trials=5)
    write_report(open_run(folder))
    chromium.open((folder / "report.html").as_uri())
    shown = []
    for name in ("batch_size", "batch_size", "depth", "depth"):
        sort_by(chromium, name)
        shown.append(chromium.evaluate(SHOWN))
    assert shown[:2] == [[1, 4, 3, 2, 0], [0, 2, 3, 4, 1]]
    assert shown[2:] == [[2, 0, 1, 4, 3], [4, 1, 0, 2, 3]], "what has no value stands last"


def test_an_option_is_found_however_its_number_is_written(
    chromium: Browser, tmp_path: Path
) -> None:
    space = SearchSpace({"lr": Choice((0.01, 0.1)), "depth": Float(0.0, 9.0)})
    configs: list[Config] = [{"lr": lr, "depth": 0.5} for lr in (0.01, 0.1, 0.01)]
    trials = [made([0.5], config=config, trial_id=str(n)) for n, config in enumerate(configs)]
    folder = write_run(tmp_path / "it", trials, space=space, trainable="m:f", trials=3)
    write_report(open_run(folder))
    chromium.open((folder / "report.html").as_uri())
    for text in ("lr=0.01", "lr=1e-2", "lr = .010", "lr!=0.10", "lr<5e-2"):
        assert filter_by(chromium, text) == [0, 2], text
    assert filter_by(chromium, "depth=5e-1") == [0, 1, 2]
    count = "document.querySelector('.controls .note').textContent"
    for text in ("lr=0.02", "lr!=0.02"):
        assert filter_by(chromium, text) == [0, 1, 2]
        assert chromium.evaluate(count) == "3 of 3 trials; lr has no option 0.02"
    filter_by(chromium, "state=stopped lr<x")
    problems = "state has no option stopped; x is no number"
    assert chromium.evaluate(count) == f"3 of 3 trials; {problems}"


def test_a_score_has_the_same_digits_everywhere(chromium: Browser, tmp_path: Path) -> None:
    curve = [12399.6, 12398.4]
    trial = made(curve, config={"lr": 0.5, "a": 0.5}, mode="min", curves={"val_loss": curve})
    settings: dict[str, Any] = {
        "space": SPACE,
        "trainable": "m:f",
        "metric": "val_loss",
        "max_epochs": 2,
    }
    folder = write_run(tmp_path / "it", [trial], **settings)
    write_report(open_run(folder))
    chromium.open((folder / "report.html").as_uri())
    chromium.evaluate("choose(0)")
    text = "[...document.querySelectorAll('{}')].map(node => node.textContent)"
    assert "12398" in chromium.evaluate("document.querySelector('#outcome').textContent")
    assert "12398" in chromium.evaluate(text.format(".trials tbody td"))
    assert "val_loss 12398" in chromium.evaluate(text.format("#chosen summary"))[0]
    assert chromium.evaluate(text.format("#chosen tbody td")) == ["1", "12400", "2", "12398"]
    scores = [0.0, 1.0, 0.96944, 0.65625, 0.65635, -0.5, 1.5, 9.99996, 12.0625, 123.4567, 12398.5]
    scores += [
        12399.5,
        99999.5,
        123456.7,
        333435923.2441,
        0.00031,
        9.99996e-4,
        1.2345e-6,
        -1.5e-300,
    ]
    assert chromium.evaluate(f"{scores}.map(score => words(score, 'score'))") == [
        shown_score(score) for score in scores
    ]
    numbers = [0.5, 0.123456, -0.00012344, 9.99996e-5, 1.6034e-6, 9999.4, 9999.6, 123456.7, 2e-300]
    assert chromium.evaluate(f"{numbers}.map(number => words(number))") == [
        wording.value(number) for number in numbers
    ]


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


def test_a_long_legend_leaves_room_for_the_curves_on_a_phone(
    chromium: Browser, tmp_path: Path
) -> None:
    metrics = ["accuracy", "balanced_accuracy", "f1", "auc", "average_precision"]
    curves = {f"{part}_{name}": [0.4, 0.5] for part in ("train", "val") for name in metrics}
    trial = made([0.4, 0.5], config={"lr": 0.5, "a": 0.5}, curves=curves)
    settings: dict[str, Any] = {"space": SPACE, "trainable": "m:f", "max_epochs": 2}
    folder = write_run(tmp_path / "it", [trial], **settings)
    write_report(open_run(folder))
    chromium.look(390, 844)
    chromium.open((folder / "report.html").as_uri())
    plot = PLOT.format("chosen")
    assert chromium.evaluate(f"{plot}._fullLayout._size.h") > 150
    chromium.evaluate("update(JSON.parse(document.getElementById('page-data').textContent))")
    assert chromium.evaluate(f"{plot}.offsetHeight === {plot}._fullLayout.height")


def test_scores_have_decimals_and_counts_have_none(chromium: Browser, tmp_path: Path) -> None:
    """In a column that has both kinds of scores, and in the table and the front alike."""
    rows = ((54.0, 12345, 12.0), (53.875, 1234567, 0.6543), (60.0, 999, 100.25))
    trials = [
        made(
            [score],
            config={"lr": 0.5, "a": 0.5},
            mode="min",
            trial_id=str(size),
            n_parameters=size,
            seconds=seconds,
            started=1e9,
            metrics={"val_rmse": score},
            curves={"val_rmse": [score]},
        )
        for score, size, seconds in rows
    ]
    settings: dict[str, Any] = {
        "space": SPACE,
        "trainable": "m:f",
        "metric": "val_rmse",
        "also": ["n_parameters", "seconds"],
    }
    folder = write_run(tmp_path / "it", trials, **settings)
    write_report(open_run(folder))
    chromium.open((folder / "report.html").as_uri())
    cells = "[...document.querySelectorAll('{} tbody td')].map(cell => cell.textContent)"
    front, table = (chromium.evaluate(cells.format(place)) for place in ("#front", ".trials"))
    for told in (front, table):
        assert {"54.000", "53.875", "60.000"} <= set(told)
        assert {"12,345", "1,234,567", "999"} <= set(told)
        assert {"12.000", "0.6543", "100.25"} <= set(told)
    chromium.evaluate("choose(0)")
    assert chromium.evaluate(cells.format("#chosen")) == ["1", "54.000"]


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


def test_on_a_phone_parallel_coordinates_scroll(chromium: Browser, tmp_path: Path) -> None:
    """Ten axes and their words need more width than a phone has."""
    space = SearchSpace({f"parameter_{n}": Float(0.0, 1.0) for n in range(10)})
    folder = write_run(tmp_path / "it", searched_anywhere(space), space=space, trainable="m:f")
    write_report(open_run(folder))
    chromium.look(390, 800)
    chromium.open((folder / "report.html").as_uri())
    width = f"{PLOT.format('parallel')}.querySelector('svg').clientWidth"
    assert chromium.evaluate(width) >= 600
    frame = "document.querySelector('#figure-parallel')"
    assert chromium.evaluate(f"getComputedStyle({frame}).overflowX") == "auto"
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 390
    chromium.look(1280, 800)
    chromium.wait_for(f"{width} > 1000")


def test_on_a_phone_names_and_legends_leave_room_for_what_is_drawn(
    chromium: Browser, tmp_path: Path
) -> None:
    cut, failed = (
        made([0.5], fate, LENET, started=1e9, seconds=9.0) for fate in (CUT_SHORT, FAILED)
    )
    folder = write_run(tmp_path / "it", [*searched(40), cut, failed])
    files, n = RunFiles(folder), 12
    spec = json.loads(files.spec.read_text())
    names = [f"class number {number} with a name as long as a sentence" for number in range(n)]
    spec["prepared"]["data"]["classes"] = names
    files.spec.write_text(json.dumps(spec))
    config, scores = searched(1)[0].config, {"test_accuracy": (0.5,)}
    look = Look(1.0, (0,), (config,), (2,), (1,), 9, 9, scores, np.eye(n).tolist())
    add_look(files.looks, look)
    write_report(open_run(folder))
    chromium.look(390, 800)
    chromium.open((folder / "report.html").as_uri())
    matrix, timeline = (f"{PLOT.format(name)}._fullLayout" for name in ("tested", "timeline"))
    for axis in ("xaxis", "yaxis"):
        assert chromium.evaluate(f"{matrix}.{axis}._length") >= 20 * n
    assert chromium.evaluate(f"{timeline}.legend._height <= {timeline}._size.t")


def test_on_a_phone_a_long_name_is_broken(chromium: Browser, tmp_path: Path) -> None:
    space = SearchSpace({"a" * 120: Float(0.0, 1.0), "b": Float(0.0, 1.0)})
    folder = write_run(tmp_path / "it", searched_anywhere(space), space=space, trainable="m:f")
    write_report(open_run(folder))
    chromium.look(390, 800)
    chromium.open((folder / "report.html").as_uri())
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_paper_the_whole_table_is_there_and_notes_are_smaller_than_the_text(
    chromium: Browser, tmp_path: Path
) -> None:
    write_report(open_run(write_run(tmp_path / "it", searched(20))))
    chromium.look(700, 1000, media="print")  # A4 without its margins
    chromium.open((tmp_path / "it" / "report.html").as_uri())
    heads = "[...document.querySelectorAll('.trials th')].map(head => head.innerText)"
    names = chromium.evaluate(heads)
    assert len(names) > 20
    assert all(names)
    frames = "[...document.querySelectorAll('.scroll')]"
    assert chromium.evaluate(f"{frames}.every(f => f.scrollWidth <= f.clientWidth)")
    size = "parseFloat(getComputedStyle(document.querySelector('{}')).fontSize)"
    text = chromium.evaluate(size.format("main p:not(.note)"))
    for small in ("main p.note", "figcaption", "dt"):
        assert chromium.evaluate(size.format(small)) < text, small
    chromium.look(1280, 800)


def test_on_a_wide_screen_no_table_is_cut_and_no_option_is_broken(
    chromium: Browser, tmp_path: Path
) -> None:
    config = SPACES["mlp"].sample(np.random.default_rng(0))
    run = open_run(write_run(tmp_path / "it", [made([0.5, 0.6], config=config)], max_epochs=3))
    scores = dict.fromkeys([n.replace("val_", "test_") for n in metrics_of("classification")], 0.5)
    quick = dict.fromkeys(MODELS["classification"], scores)
    values = {name: [0.5, 0.6] for name in scores}
    many = {"confusion": [[1, 1], [1, 1]], "together": scores, "baselines": quick}
    add_look(run.files.looks, Look(0.0, (0,), (config,), (2,), (1, 2), 9, 4, values, **many))  # type: ignore[arg-type]
    write_report(open_run(run.files.folder))
    chromium.look(1200, 800)
    chromium.open(run.files.report.as_uri())
    frames = "[...document.querySelectorAll('.text .scroll')]"
    assert chromium.evaluate(f"{frames}.length") > 1
    assert chromium.evaluate(f"{frames}.every(f => f.scrollWidth <= f.clientWidth)")
    for width in range(320, 480, 40):
        chromium.look(width, 800)
        chromium.wait_for(f"innerWidth === {width}")
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
        options = "[...document.querySelectorAll('.text code')]"
        assert chromium.evaluate(f"{options}.map(o => o.getClientRects().length)") == [1]


def searched_anywhere(space: SearchSpace) -> list[FinishedTrial]:
    rng = np.random.default_rng(0)
    return [
        made([n / 40], config=space.sample(rng), trial_id=str(n), started=1e9 + n)
        for n in range(20)
    ]


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_it_fits_a_phone_and_is_dark_where_the_reader_wants_it(
    page: Browser, width: int, scheme: str
) -> None:
    page.look(width, 800, scheme=scheme)
    page.open(page.evaluate("location.href"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink = page.evaluate(f"{PLOT.format('curves')}.layout.font.color")
    assert ink == ("#e4e8ec" if scheme == "dark" else "#1c2024")


def test_it_fits_a_phone_that_is_turned(page: Browser) -> None:
    page.look(844, 390)
    page.open(page.evaluate("location.href"))
    page.look(390, 844)
    page.wait_for("document.documentElement.scrollWidth <= 390")


def test_figures_follow_the_window_and_the_paper(page: Browser) -> None:
    widths = (
        "['curves', 'slice-0', 'timeline'].every(id => "
        "{ const place = document.querySelector(`#figure-${id} .plot`); "
        "return place.querySelector('svg').clientWidth === place.clientWidth; })"
    )
    page.look(420, 800)
    page.wait_for(f"document.querySelector('main').clientWidth < 420 && {widths}")
    page.look(1280, 800)
    page.wait_for(f"document.querySelector('main').clientWidth > 1000 && {widths}")
    page.evaluate("recolour(true)")
    page.wait_for(f"document.querySelector('main').clientWidth <= 700 && {widths}")


def test_the_chosen_trial_is_in_the_legend(page: Browser) -> None:
    (best,) = page.evaluate(SELECTED)
    entries = (
        f"[...{PLOT.format('curves')}.querySelectorAll('.legendtext')].map(e => e.textContent)"
    )
    assert f"trial {best}" in page.evaluate(entries)
