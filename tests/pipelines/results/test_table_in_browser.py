"""The table of trials in headless Chromium: its order, its filter, and how numbers are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.record.scores import shown_score
from pipelines.results import wording
from pipelines.results.report import write_report
from pipelines.study.runs import open_run
from search_spaces import Choice, Config, Float, SearchSpace
from tests.pipelines.browser import CHROMIUM, Browser
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made
from tests.pipelines.results.opened import SHOWN, SPACE, TRIALS, chromium, folder, page

__all__ = ["chromium", "folder", "page"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium")


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
