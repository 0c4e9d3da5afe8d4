"""A resumed search makes the same decisions as a search that was never interrupted."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipelines.record.events import Asked, Ended, Reported, Saved, read_events
from pipelines.record.files import RunFiles
from pipelines.record.journal import Journal, load_journal
from pipelines.record.live import Driver
from pipelines.record.sessions import KILLED
from pipelines.record.writing import Record
from pipelines.study.disk import disk_of
from pipelines.study.repeats import run_repeats
from pipelines.study.resume.left import nothing_left, searched
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from tests.pipelines.live.standing import write
from tests.pipelines.running import Witness, study_of
from tests.pipelines.study.small_search import SPACE, decisions, lines_of, recorded, study
from tests.pipelines.study.without_ray import (
    Curve,
    Killed,
    OneNode,
    Tuner,
    going_on,
    killed_before,
    search,
    search_until,
    without_ray,
)

__all__ = ["without_ray"]

pytestmark = pytest.mark.usefixtures("without_ray")

IN_SEQUENCE = ("asha", "aligned_asha", "median", "none")


def moments(study: Study) -> list[int]:
    """Events before which to kill the driver: one of each kind, late in the search."""
    kinds = {type(e): n for n, e in enumerate(read_events(RunFiles(study.folder).events)[:-12])}
    assert set(kinds) == {Asked, Reported, Saved, Ended}
    return sorted(kinds.values())


def is_the_same_when_killed(
    whole: Study, cut: Study, moments: Iterable[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = decisions(recorded(whole))
    for line in moments:
        assert search_until(cut, monkeypatch, line)
        search(going_on(cut))
        assert decisions(recorded(cut)) == expected, line
        shutil.rmtree(cut.folder)


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_a_driver_killed_at_each_kind_of_moment_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algo: str
) -> None:
    whole, cut = (study(tmp_path / name, algo, trials=18) for name in ("whole", "cut"))
    search(whole)
    is_the_same_when_killed(whole, cut, moments(whole), monkeypatch)


@pytest.mark.parametrize("scheduler", IN_SEQUENCE)
def test_a_driver_killed_anywhere_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduler: str
) -> None:
    """Killed in a rung, in a checkpoint, and before and after the algorithm is told."""
    whole, cut = (
        study(tmp_path / name, scheduler=scheduler, trials=9) for name in ("whole", "cut")
    )
    search(whole)
    assert any(t.stopped_by for t in recorded(whole)) == (scheduler != "none")
    every = 1 if scheduler == "asha" else 4
    is_the_same_when_killed(whole, cut, range(0, lines_of(whole), every), monkeypatch)


def one_brilliant(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
    """The first trial is better than all others, and then diverges. So the next one is saved in the
    epoch in which it is stopped: no trial has ended soundly."""

    def loss(config: dict[str, Any], epoch: int) -> float:
        first = config["lr"] == 0.01
        return (math.nan if epoch > 1 else 0.1) if first else float(config["lr"] + 1 / epoch)

    return Curve(loss, config, max_epochs)


def test_a_driver_killed_between_the_last_save_and_the_end_of_a_stopped_trial_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (
        study_of(tmp_path / name, one_brilliant, space=SPACE, scheduler="asha", max_epochs=9)
        for name in ("whole", "cut")
    )
    search(whole)
    second = recorded(whole)[1]
    assert (second.stopped_by, second.epochs) == ("scheduler", 1)
    assert search_until(cut, monkeypatch, 1, (Journal, "append"))
    assert isinstance(read_events(RunFiles(cut.folder).events)[-1], Saved)
    search(going_on(cut))
    assert decisions(recorded(cut)) == decisions(recorded(whole))


@pytest.mark.parametrize(
    ("what", "moments"),
    [((Journal, "append"), range(9)), ((Record, "flush"), range(0, 40, 3))],
    ids=["a trial that has ended", "all of a step"],
)
def test_a_driver_killed_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: tuple[type, str], moments: range
) -> None:
    whole, cut = (study(tmp_path / name, trials=9) for name in ("whole", "cut"))
    search(whole)
    for number in moments:
        assert search_until(cut, monkeypatch, number, what)
        search(going_on(cut))
        assert decisions(recorded(cut)) == decisions(recorded(whole)), number
        shutil.rmtree(cut.folder)


def test_a_driver_killed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = study(tmp_path / "whole", "optuna")
    search(whole)
    cut = study(tmp_path / "cut", "optuna")
    killed = search_until(cut, monkeypatch, 15)  # more than a trial has that is never saved
    times = 0
    while killed:
        times += 1
        killed = search_until(going_on(cut), monkeypatch, 15)
    assert times > 3
    assert decisions(recorded(cut)) == decisions(recorded(whole))
    assert [s.by for s in open_run(cut.folder).sessions] == [KILLED] * times + [""]


def test_with_several_at_once_none_is_lost_and_none_is_tried_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tuner, "slots", 3)
    for line in range(0, 60, 4):
        cut = study(tmp_path / f"cut-{line}", "sobol", trials=20)
        assert search_until(cut, monkeypatch, line)
        before = [trial.trial_id for trial in recorded(cut)]
        search(going_on(cut))
        trials = recorded(cut)
        assert [trial.trial_id for trial in trials][: len(before)] == before
        assert len(trials) == 20
        assert len({tuple(sorted(map(str, t.config.items()))) for t in trials}) == 20


def test_a_trial_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first trial is saved in each epoch, because it is the best so far."""
    cut = study(tmp_path / "cut", scheduler="none", trials=1)
    assert search_until(cut, monkeypatch, 1 + 2 * 4)  # suggested, and four epochs saved
    epochs = len([e for e in read_events(RunFiles(cut.folder).events) if isinstance(e, Reported)])
    assert epochs == 4
    search(going_on(cut))
    events = read_events(RunFiles(cut.folder).events)
    reported = [epoch for e in events if isinstance(e, Reported) for epoch in e.values]
    assert reported == list(range(1, 10))
    (trial,) = recorded(cut)
    assert (trial.resumed, list(trial.curve)) == (1, list(range(1, 10)))
    assert len([e for e in events if isinstance(e, Asked)]) == 1


def test_more_trials_and_their_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = study(tmp_path / "whole", "optuna", trials=20)
    search(whole)
    first = study(tmp_path / "first", "optuna", trials=8)
    search(first)
    more = going_on(first, trials=20)
    assert nothing_left(going_on(first)).startswith("all its 8 trials have ended")
    assert not nothing_left(more)
    search(more)
    assert decisions(recorded(first)) == decisions(recorded(whole))
    run = open_run(first.folder)
    assert (run.first_spec.budget.trials, run.spec.budget.trials) == (8, 20)
    assert nothing_left(going_on(first, target_value=5.0)).startswith("its best")
    assert nothing_left(going_on(first, trials=30, time_budget=1e-3)).startswith("its time budget")


def test_repeats_that_are_missing_are_trained_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(tmp_path / "run", trials=6, repeats=3)
    result = search(asked)
    with killed_before(monkeypatch, 40), pytest.raises(Killed):
        run_repeats(asked, result, OneNode(), Witness())
    files = RunFiles(asked.folder)
    before = load_journal(files.repeats)
    assert 0 < len(before) < 5 * 3
    again = going_on(asked)
    assert not nothing_left(again)
    done = searched(again)
    assert done is not None
    assert decisions(list(done.trials)) == decisions(list(result.trials))
    repeats, _ = run_repeats(again, done, OneNode(), Witness())
    trials = load_journal(files.repeats)
    assert trials[: len(before)] == before
    assert len({(t.repeat_of, t.seed) for t in trials}) == len(trials) == 5 * 3
    assert [len(r.values) for r in repeats] == [3] * 5
    assert nothing_left(going_on(asked)).startswith("all its 6 trials")
    assert [(s.part, s.by) for s in open_run(asked.folder).sessions] == [
        ("search", ""), ("repeats", "an error"), ("repeats", ""),
    ]  # fmt: skip


def test_a_record_of_an_older_version_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older run has no events and no sessions."""
    whole, old = (study(tmp_path / name, "optuna", trials=16) for name in ("whole", "old"))
    search(whole)
    assert search_until(old, monkeypatch, 60)
    files = RunFiles(old.folder)
    before = recorded(old)
    files.events.unlink()
    files.sessions.unlink()
    search(going_on(old))
    assert recorded(old)[: len(before)] == before
    assert decisions(recorded(old)) == decisions(recorded(whole))


def test_an_algorithm_that_answers_otherwise_is_primed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of another version of its library may."""
    asked = study(tmp_path / "run", "optuna", trials=16)
    assert search_until(asked, monkeypatch, 60)
    before = recorded(asked)
    events = RunFiles(asked.folder).events
    text = events.read_text()
    first = before[1].config["lr"]
    assert str(first) in text
    events.write_text(text.replace(str(first), "0.123"))
    search(going_on(asked))
    trials = recorded(asked)
    assert len(trials) == 16
    assert len({str(sorted(t.config.items())) for t in trials}) == 16


@pytest.mark.parametrize(
    ("process", "phase", "counts"),
    [(0, "search", True), (1, "search", False), (0, "repeats", False)],
    ids=["this", "another driver", "another part"],
)
def test_a_killed_driver_worked_until_it_last_said_how_its_search_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, process: int, phase: str, counts: bool
) -> None:
    """The last event may be an epoch that ended hours ago."""
    asked = study(tmp_path / "run", trials=1)
    assert search_until(asked, monkeypatch, 3)
    (session,) = open_run(asked.folder).sessions
    driver = Driver(session.host, session.process + process, "")
    at = session.begun + 3600
    write(asked.folder, driver=driver, at=at, phase=phase, seconds=1800.0)  # it slept for a while
    resumed = going_on(asked).resumed
    assert resumed is not None
    assert resumed.killed is not None
    assert (resumed.killed.ended == at) == counts
    assert (resumed.search.seconds == 1800.0) == counts
    assert not search_until(going_on(asked), monkeypatch, 1000)
    assert (open_run(asked.folder).sessions[0].worked == 1800.0) == counts


def test_the_disk_that_a_run_takes_is_bounded(tmp_path: Path) -> None:
    asked = study(tmp_path / "run", trials=12, scheduler="none")
    search(asked)
    files, disk = RunFiles(asked.folder), disk_of(asked, at_once=1)
    nothing = disk_of(study(tmp_path / "none", trials=1, max_epochs=1), at_once=1)
    written = sum(path.stat().st_size for path in (files.journal, files.events))
    assert written < disk.record - nothing.record
    assert list(files.ray.iterdir()) == []  # it is complete: what lay there is of no use
    checkpoints = [path for path in asked.folder.rglob("*") if path.name.startswith("weights")]
    assert 0 < len(checkpoints) <= disk.checkpoints
