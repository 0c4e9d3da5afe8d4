"""The page in headless Chromium on phones, wide screens and paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.sets.configs import LENET
from pipelines.record.files import RunFiles
from pipelines.record.looks import Look, add_look
from pipelines.record.trials import FinishedTrial
from pipelines.results.report import write_report
from pipelines.study.runs import open_run
from search_spaces import SPACES, Float, SearchSpace
from tests.pipelines.browser import CHROMIUM, Browser
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import CUT_SHORT, FAILED, made, searched
from tests.pipelines.results.opened import PLOT, SPACE, chromium, folder, page
from trainables.baselines import MODELS
from trainables.training.metrics import metrics_of

__all__ = ["chromium", "folder", "page"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium")


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


def test_on_a_phone_parallel_coordinates_scroll_and_bars_have_room(
    chromium: Browser, tmp_path: Path
) -> None:
    """Ten axes and their words need more width than a phone has."""
    space = SearchSpace({f"parameter_{n}": Float(0.0, 1.0) for n in range(10)})
    folder = write_run(tmp_path / "it", searched_anywhere(space), space=space, trainable="m:f")
    write_report(open_run(folder))
    chromium.look(390, 800)
    chromium.open((folder / "report.html").as_uri())
    width = f"{PLOT.format('parallel')}.querySelector('svg').clientWidth"
    assert chromium.evaluate(width) >= 600
    assert chromium.evaluate(f"{PLOT.format('importance')}._fullLayout.xaxis._length") > 220
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


def test_the_title_of_an_axis_does_not_touch_long_numbers(
    chromium: Browser, tmp_path: Path
) -> None:
    trials = [made([1e-7 * n], mode="min", config=LENET) for n in range(5, 30)]
    folder = write_run(tmp_path / "it", trials, metric="val_rmse", data="diabetes")
    write_report(open_run(folder))
    chromium.look(1280, 800)
    chromium.open((folder / "report.html").as_uri())
    plot = PLOT.format("best-trials")
    title = f"{plot}.querySelector('.g-ytitle').getBoundingClientRect().right"
    numbers = f"[...{plot}.querySelectorAll('.ytick text')]"
    left = f"Math.min(...{numbers}.map(text => text.getBoundingClientRect().left))"
    assert chromium.evaluate(f"{left} - {title}") >= 4


def test_on_a_phone_a_long_name_is_broken(chromium: Browser, tmp_path: Path) -> None:
    space = SearchSpace({"a" * 120: Float(0.0, 1.0), "b": Float(0.0, 1.0)})
    folder = write_run(tmp_path / "it", searched_anywhere(space), space=space, trainable="m:f")
    write_report(open_run(folder))
    chromium.look(390, 800)
    chromium.open((folder / "report.html").as_uri())
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_paper_the_table_is_whole_and_so_are_its_numbers_and_notes_are_smaller_than_text(
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
    chromium.evaluate(
        "lines = td => { const range = document.createRange(); range.selectNodeContents(td);"
        " return range.getClientRects().length; }"
    )
    cells = "[...document.querySelectorAll('.trials td')].filter(td => td.innerText.trim())"
    numbers = f"{cells}.filter(td => !isNaN(td.innerText))"
    assert chromium.evaluate(f"{numbers}.length") > 200
    assert chromium.evaluate(f"{numbers}.every(td => lines(td) === 1)")
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
