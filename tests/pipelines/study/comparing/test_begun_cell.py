"""A cell of a comparison that had begun: no finished trial is trained again, no record is lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.record.files import RunFiles
from pipelines.study.comparing.begun_cell import run_cell
from pipelines.study.prepare import prepare
from pipelines.study.result import StudyResult
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from search_spaces import Float, SearchSpace
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made
from tests.pipelines.running import spec_of
from tests.pipelines.study.without_ray import Curve, search, search_until, without_ray

__all__ = ["without_ray"]

pytestmark = pytest.mark.usefixtures("without_ray")

SPACE = SearchSpace({"x": Float(0.0, 1.0)})


def falls(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
    return Curve(lambda config, epoch: config["x"] + 1 / epoch, config, max_epochs)


def cell(folder: Path, **more: Any) -> Study:
    place = {"name": folder.name, "runs_dir": folder.parent}
    settings: dict[str, Any] = {"algo": "optuna", "trials": 6, "max_epochs": 9, "data": "wine"}
    own = {"metric": "val_loss", "space": f"{__name__}:SPACE", "trainable": f"{__name__}:falls"}
    return prepare(spec_of(**{**settings, **own, **place, **more}))


def decided(result: StudyResult) -> list[Any]:
    return [(t.config, dict(t.curve), t.stopped_by) for t in result.trials]


def never(study: Study) -> StudyResult:
    raise AssertionError("nothing is left to train")


def test_one_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, cut = (cell(tmp_path / name) for name in ("whole", "cut"))
    expected = run_cell(whole, search, print)
    assert search_until(cut, monkeypatch, 30)
    ended = open_run(cut.folder).finished
    assert ended
    said: list[str] = []
    result = run_cell(cut, search, said.append)
    assert said[0].startswith(f"resumed   {cut.folder}: {len(ended)} trials have ended")
    assert decided(result) == decided(expected)
    assert result.epochs == expected.epochs
    assert [t.trial_id for t in result.trials][: len(ended)] == [t.trial_id for t in ended]


def test_a_complete_record_is_taken_as_it_is(tmp_path: Path) -> None:
    whole = cell(tmp_path / "whole")
    expected = search(whole)
    before = {path: path.read_bytes() for path in whole.folder.iterdir() if path.is_file()}
    said: list[str] = []
    assert decided(run_cell(whole, never, said.append)) == decided(expected)
    assert said == []
    assert before == {p: p.read_bytes() for p in whole.folder.iterdir() if p.is_file()}


def test_one_that_was_killed_after_its_last_trial_is_completed(tmp_path: Path) -> None:
    whole = cell(tmp_path / "whole")
    expected = search(whole)
    sessions = RunFiles(whole.folder).sessions
    sessions.write_text(sessions.read_text().splitlines(keepends=True)[0])
    assert decided(run_cell(whole, never, print)) == decided(expected)
    assert open_run(whole.folder).sessions[-1].by == ""


@pytest.mark.parametrize(
    ("damage", "why", "trials"),
    [
        (lambda files: os.truncate(files.journal, 0), "has 0 of ", ""),
        (lambda files: files.spec.unlink(), "it has no spec.json", "{n} "),
    ],
    ids=["journal", "spec"],
)
def test_one_that_cannot_go_on_is_kept_and_begins_anew(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[RunFiles], None],
    why: str,
    trials: str,
) -> None:
    cut = cell(tmp_path / "cut")
    assert search_until(cut, monkeypatch, 40)
    n = len(open_run(cut.folder).finished)
    damage(RunFiles(cut.folder))
    events = RunFiles(cut.folder).events.read_bytes()
    said: list[str] = []
    assert len(run_cell(cut, search, said.append).trials) == 6
    aside = tmp_path / "aside" / "cut-1"
    assert RunFiles(aside).events.read_bytes() == events
    reason, lost = said
    assert reason.startswith("note      cut cannot go on: ")
    assert why in reason
    without = f"{trials.format(n=n)}finished trials"
    assert lost == f"note      cut begins anew without its {without}, kept in {aside}"


def test_one_that_was_searched_further_by_hand_begins_anew(tmp_path: Path) -> None:
    further = cell(tmp_path / "it", trials=8)
    search(further)
    said: list[str] = []
    asked = replace(further, spec=further.spec.but(budget={"trials": 6}))
    assert len(run_cell(asked, search, said.append).trials) == 6
    assert said[0] == "note      it cannot go on: it was searched with other settings: trials"
    assert len(open_run(tmp_path / "aside" / "it-1").finished) == 8


def test_one_whose_scheduler_pauses_trials_begins_anew_unless_it_is_complete(
    tmp_path: Path,
) -> None:
    settings: dict[str, Any] = {"algo": "random", "scheduler": "hyperband", "metric": "val_loss"}
    trials = [made([1.0], config={"x": 0.5}), made([0.5], config={"x": 0.1})]
    for name, ended in (("whole", ""), ("cut", None)):
        write_run(tmp_path / name, trials, space=SPACE, ended=ended, **settings)
    whole, cut = (open_run(tmp_path / name).spec_in_place for name in ("whole", "cut"))
    study = cell(tmp_path / "other")
    assert len(run_cell(replace(study, spec=whole), never, print).trials) == 2
    said: list[str] = []
    anew = StudyResult([], "val_loss", 1)
    assert run_cell(replace(study, spec=cut), lambda study: anew, said.append) is anew
    assert "what `scheduler=hyperband` knows of its trials is not recorded" in said[0]
    assert "without its 2 finished trials" in said[1]
