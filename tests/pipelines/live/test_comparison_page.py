"""The page of a comparison follows its searches."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipelines.live import compared
from pipelines.live.compared import Compared
from pipelines.live.pages import Pages
from pipelines.record.files import RunFiles
from pipelines.record.lock import holding
from pipelines.study.comparing.comparison import Cell, Comparison
from tests.pipelines.live.standing import TRIAL, append
from tests.pipelines.recorded import write_run


def test_a_comparison_has_a_page_that_follows_it(tmp_path: Path) -> None:
    folder = tmp_path / "compared"
    write_run(folder / "optuna-0")
    (folder / "spec.json").write_text('{"format": 2, "compared": {}}')
    page = Compared(folder, clock=lambda: 0.0)
    first = json.loads(page.news(0))
    assert "No trial has finished." in first["sections"][0]["html"]
    append(folder / "optuna-0", TRIAL)
    write_run(folder / "random-0", [TRIAL], trials=1)
    second = json.loads(page.news(first["version"]))
    assert '<td><a href="compared/optuna-0">optuna-0</a></td>' in second["sections"][0]["html"]
    comparison = Comparison(folder)
    for seed, (algo, best) in enumerate((("optuna", 0.6), ("random", 0.6))):
        comparison.finish(Cell(algo, 0, best, 2, 1.0 + seed))
    finished = json.loads(page.news(second["version"]))
    algorithms, *_, progress, _ = finished["sections"]
    assert re.findall(r"<td>([^<]*)</td>", algorithms["html"])[:6] == [
        "optuna",
        "0.6000",
        "1",
        "2",
        "1.0 s",
        "1.50",
    ]
    assert [figure["id"] for figure in algorithms["figures"]] == ["algorithms"]
    assert "There is one search of each kind" in progress["html"]
    second = finished
    assert second["state"] == "All runs are over."
    third = json.loads(page.news(second["version"]))
    assert third["sections"] == [{"id": section["id"]} for section in second["sections"]]
    pages = Pages(lambda: [tmp_path])
    assert "<h1>compared</h1>" in pages.run_page(f"{tmp_path.name}/compared")


def test_a_comparison_of_which_cells_were_deleted_has_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "compared"
    write_run(folder / "optuna-0", [TRIAL])
    (folder / "spec.json").write_text('{"format": 2, "compared": {}}')
    for algo, seed in (("optuna", 0), ("optuna", 1), ("random", 0)):
        Comparison(folder).finish(Cell(algo, seed, 0.6, 2, 1.0))
    algorithms = json.loads(Compared(folder).news(0))["sections"][0]
    assert "<td>random</td>" in algorithms["html"]
    assert [figure["id"] for figure in algorithms["figures"]] == ["algorithms"]


def test_a_comparison_whose_driver_was_killed_goes_on_no_longer(tmp_path: Path) -> None:
    folder = tmp_path / "compared"
    files = RunFiles(write_run(folder / "optuna-0", [TRIAL], ended=None))
    page = Compared(folder, clock=lambda: 0.0)
    with holding(files):
        assert "The search goes on" in json.loads(page.news(0))["state"]
    assert "The search is not complete" in json.loads(page.news(0))["state"]


def test_a_comparison_whose_last_session_ends_goes_on_no_longer(tmp_path: Path) -> None:
    folder = tmp_path / "compared"
    files = RunFiles(write_run(folder / "optuna-0", [TRIAL], ended=None))
    page = Compared(folder, clock=lambda: 0.0)
    with holding(files):
        assert "The search goes on" in json.loads(page.news(0))["state"]
        with files.sessions.open("a") as sessions:
            sessions.write('{"ended": 2e9, "by": ""}\n')
        assert json.loads(page.news(0))["state"] == "All runs are over."


def test_between_two_of_its_runs_a_comparison_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "compared"
    write_run(folder / "optuna-0", [TRIAL])
    page = Compared(folder, clock=lambda: 0.0)
    with Comparison(folder).held({"compared": {}}, {}):
        Comparison(folder).finish(Cell("optuna", 0, 0.6, 2, 1.0))
        assert json.loads(page.news(0))["state"] == "The comparison goes on: 1 run finished so far."
    assert json.loads(page.news(0))["state"] == "All runs are over."


def test_a_comparison_asks_for_the_lock_of_what_may_go_on_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "compared"
    write_run(folder / "optuna-0", [TRIAL])
    write_run(folder / "random-0", [TRIAL], ended=None)
    asked: list[str] = []
    monkeypatch.setattr(compared, "is_held", lambda files: asked.append(files.folder.name))
    times = iter([0.0, 1.0, 20.0, 22.0])
    page = Compared(folder, clock=lambda: next(times))
    for _ in range(3):  # made, rests, and is looked at again
        page.news(0)
    assert asked == ["random-0"] * 2
