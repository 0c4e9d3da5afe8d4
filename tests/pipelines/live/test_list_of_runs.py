"""The list of runs, and which folders its addresses lead to."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.live import folders, watched
from pipelines.live.folders import Listing
from pipelines.live.gone import Gone
from pipelines.live.pages import Pages
from pipelines.record.live import Driver
from pipelines.study.runs import Run, open_run
from tests.pipelines.live.standing import TRIAL, running, write
from tests.pipelines.recorded import write_run


def test_the_list_has_every_run_and_the_running_first(tmp_path: Path) -> None:
    write_run(tmp_path / "a", [TRIAL], trials=1)
    write_run(tmp_path / "b", [TRIAL], ended=None)
    write(write_run(tmp_path / "c", [TRIAL]), running([0.7]))
    dead = write_run(tmp_path / "d", [TRIAL])
    write(dead, running([0.7]), at=time.time() - 90, driver=replace(Driver.this(), started="0"))
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "spec.json").write_text('{"format": 99}')
    (tmp_path / "e" / "study.journal").touch()
    (tmp_path / "no run").mkdir()
    for cell in ("optuna-0", "random-0"):
        write_run(tmp_path / "compared" / cell, [TRIAL], trials=1)
    (tmp_path / "compared" / "spec.json").write_text('{"format": 2, "compared": {}}')
    pages = Pages(lambda: [tmp_path])
    rows = {row.path: row for row in Listing(tmp_path).rows()}
    assert {path: row.state for path, row in rows.items()} == {
        "a": "over",
        "b": "not complete",
        "c": "running",
        "d": "ended without a word",
        "e": "not readable",
        "compared": "comparison",
        "compared/optuna-0": "over",
        "compared/random-0": "over",
    }
    assert next(iter(rows)) == "c"
    assert (rows["c"].trials, rows["c"].best) == ("1 of 40", "val_accuracy 0.9000")
    assert rows["a"].best == "val_accuracy 0.6000"
    content = json.loads(pages.list_news(0))
    assert content["state"] == "7 runs, 1 of them running."
    assert (
        f'href="/rangefinder/run/{tmp_path.name}/compared/optuna-0"'
        in content["sections"][0]["html"]
    )
    again = json.loads(pages.list_news(content["version"]))
    assert again["sections"] == [{"id": "runs-0"}]


def test_a_folder_that_may_not_be_entered_does_not_empty_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "it", [TRIAL])
    (tmp_path / "locked").mkdir()
    stat = Path.stat

    def refused(path: Path, **options: bool) -> os.stat_result:
        if path.parent.name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refused)  # root may enter every folder
    assert [row.path for row in Listing(tmp_path).rows()] == ["it"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), ValueError("odd")])
def test_a_run_that_cannot_be_read_keeps_no_other_from_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for name in ("ours", "theirs"):
        write_run(tmp_path / name, [TRIAL])

    def opened(folder: Path) -> Run:
        if folder.name == "theirs":
            raise error
        return open_run(folder)

    for module in (folders, watched):
        monkeypatch.setattr(module, "open_run", opened)
    pages = Pages(lambda: [tmp_path])
    assert {row.path: row.state for row in Listing(tmp_path).rows()} == {
        "ours": "over",
        "theirs": "not readable",
    }
    with pytest.raises(Gone, match=str(error.args[-1])):
        pages.run_page(f"{tmp_path.name}/theirs")


@pytest.mark.parametrize(
    "path", ["none/it", "{root}", "{root}/", "{root}/gone", "{root}/../it", "{root}/.hid", "/etc"]
)
def test_an_address_leads_to_no_other_folder(tmp_path: Path, path: str) -> None:
    root = tmp_path / "runs"
    write_run(root / "it", [TRIAL])
    write_run(tmp_path / "it", [TRIAL])
    write_run(root / "hid", [TRIAL]).rename(root / ".hid")
    pages = Pages(lambda: [root])
    with pytest.raises(Gone, match=r"^no run "):
        pages.run_page(path.format(root="runs"))
    assert "<h1>it</h1>" in pages.run_page("runs/it")


def test_two_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for place in "ab":
        write_run(tmp_path / place / "runs" / f"in-{place}", [TRIAL])
    pages = Pages(lambda: [tmp_path / "a" / "runs", tmp_path / "b" / "runs"])
    assert "<h1>in-b</h1>" in pages.run_page("runs-2/in-b")
    with pytest.raises(Gone):
        pages.run_page("runs/in-b")
