"""A resumed search makes the same decisions as a search that was never interrupted."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from pyarrow.fs import FileSystem

from pipelines.cli.report import print_report
from pipelines.cluster import places
from pipelines.record.events import Asked, Ended, Reported, Saved, read_events
from pipelines.record.files import RunFiles
from pipelines.record.journal import Journal, load_journal
from pipelines.record.live import Driver
from pipelines.record.sessions import KILLED
from pipelines.record.trials import FinishedTrial, State, ranked
from pipelines.record.writing import Record
from pipelines.study import recorded_state, resuming
from pipelines.study.disk import disk_of
from pipelines.study.left import check_longer, nothing_left, searched
from pipelines.study.repeats import run_repeats
from pipelines.study.runs import open_run
from pipelines.study.study import Study
from pipelines.tuner import kept
from pipelines.tuner.algorithms import ALGORITHMS
from pipelines.tuner.kept import KeptStates
from search_spaces import AtLeast, Choice, Float, Int, SearchSpace
from tests.pipelines.live.standing import write
from tests.pipelines.running import Witness, study_of
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
from trainables.training.metrics import METRICS

__all__ = ["without_ray"]

SPACE = SearchSpace(
    {
        "lr": Float(1e-3, 1.0, log=True),
        "n_layers": Int(1, 2),
        "width_2": Int(8, 64, log=True, when=AtLeast("n_layers", 2)),
        "kind": Choice(("a", "b")),
    },
    grid_levels={"lr": 3, "n_layers": 2, "width_2": 2, "kind": 2},
    try_first=({"lr": 0.01, "n_layers": 1, "kind": "b"},),
)
IN_SEQUENCE = ("asha", "aligned_asha", "median", "none")


def loss(config: dict[str, Any], epoch: int) -> float:
    """A loss that diverges for the largest learning rates."""
    if config["lr"] > 0.6 and epoch > 1:
        return math.nan
    distance = abs(math.log10(config["lr"]) + 1.5) + 0.1 * (config["kind"] == "a")
    return float(distance + (1 + config.get("width_2", 3) / 64) / epoch)


def trainable(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
    return Curve(loss, config, max_epochs)


def study(folder: Path, algo: str = "random", **more: Any) -> Study:
    settings = {"algo": algo, "trials": 12, "max_epochs": 9, "scheduler": "asha", **more}
    return study_of(folder, trainable, space=SPACE, **settings)


def decisions(trials: list[FinishedTrial]) -> list[Any]:
    """Everything about a trial that was decided or trained, but not its name and its times."""
    return [(t.config, t.state, dict(t.curve), t.value, t.best_epoch, t.stopped_by) for t in trials]


def recorded(study: Study) -> list[FinishedTrial]:
    return load_journal(RunFiles(study.folder).journal)


def lines_of(study: Study) -> int:
    return len(read_events(RunFiles(study.folder).events))


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


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("algo", ALGORITHMS)
def test_a_driver_killed_at_each_kind_of_moment_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algo: str
) -> None:
    whole, cut = (study(tmp_path / name, algo, trials=18) for name in ("whole", "cut"))
    search(whole)
    is_the_same_when_killed(whole, cut, moments(whole), monkeypatch)


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
def test_a_torn_line_costs_that_trial_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (study(tmp_path / name, trials=8) for name in ("whole", "cut"))
    search(whole)
    expected = decisions(recorded(whole))
    for name in ("journal", "events"):
        assert search_until(cut, monkeypatch, lines_of(whole) - 10)
        before = len(recorded(cut))
        path = getattr(RunFiles(cut.folder), name)
        path.write_bytes(path.read_bytes()[:-7])
        assert len(recorded(cut)) == before - (name == "journal")
        search(going_on(cut))
        trials = decisions(recorded(cut))
        assert sorted(map(str, trials)) == sorted(map(str, expected))
        shutil.rmtree(cut.folder)


def first_line_only(path: Path) -> None:
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def without_first_line(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (Path.unlink, "has 0 of 8 ended trials: restore it"),
        (lambda path: os.truncate(path, 0), "has 0 of 8 ended trials: restore it"),
        (first_line_only, "has 0 of 8 ended trials: restore it"),
        (without_first_line, "has lost its first line: restore it"),
    ],
    ids=["deleted", "emptied", "without trials", "without its first line"],
)
def test_a_journal_that_has_lost_trials_is_refused_and_the_table_is_kept(
    tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    whole = study(tmp_path / "whole", trials=8)
    search(whole)
    files = RunFiles(whole.folder)
    print_report(files.folder, 1, None, plot_schedule=False)
    table = files.table.read_bytes()
    damage(files.journal)
    with pytest.raises(ValueError, match=says):
        going_on(whole)
    with pytest.raises(ValueError, match=says):
        print_report(files.folder, 1, None, plot_schedule=False)
    assert files.table.read_bytes() == table


@pytest.mark.usefixtures("without_ray")
def test_trials_that_ended_twice_are_not_lost(tmp_path: Path) -> None:
    """A torn line of the journal is trained again, and ends again."""
    whole = study(tmp_path / "whole", trials=3)
    search(whole)
    files = RunFiles(whole.folder)
    ends = [line for line in files.events.read_bytes().splitlines(True) if b'"ended"' in line]
    assert len(ends) == 3
    with files.events.open("ab") as events:
        events.writelines(ends)
    assert len(load_journal(files.journal)) == 3


@pytest.mark.usefixtures("without_ray")
def test_the_trials_that_a_damaged_journal_still_has_go_on_without_its_events(
    tmp_path: Path,
) -> None:
    whole = study(tmp_path / "whole", trials=8)
    search(whole)
    files = RunFiles(whole.folder)
    files.journal.write_bytes(b"".join(files.journal.read_bytes().splitlines(True)[:4]))
    with pytest.raises(ValueError, match=r"or delete events\.jsonl to do without the others"):
        going_on(whole)
    files.events.unlink()
    search(going_on(whole))
    assert len(recorded(whole)) == 8


@pytest.mark.usefixtures("without_ray")
def test_the_best_are_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = study(tmp_path / "run", "optuna", trials=16)
    search(asked)
    before = {trial.trial_id: trial for trial in recorded(asked)}
    complete = [t for t in before.values() if t.state is State.COMPLETE]
    best = [trial.trial_id for trial in ranked(complete, METRICS["val_loss"])[:3]]
    kept = {path.name for path in (asked.folder / "kept").iterdir()}
    assert kept == {f"{name}-9" for name in best}
    longer = going_on(asked, max_epochs=30)
    assert not nothing_left(longer)
    assert search_until(longer, monkeypatch, 20)  # in the middle of it
    search(going_on(asked))
    trials = recorded(asked)
    assert len(trials) == 16
    for trial in trials:
        if trial.trial_id not in best:
            assert trial == before[trial.trial_id]
            continue
        assert dict(trial.curve) | dict(before[trial.trial_id].curve) == dict(trial.curve)
        assert trial.planned[1] == 9
        assert trial.planned[10] == 30
        assert trial.epochs > 9
    assert max(trial.epochs for trial in trials) == 30
    events = read_events(RunFiles(asked.folder).events)
    reported = [(e.trial_id, n) for e in events if isinstance(e, Reported) for n in e.values]
    assert len([r for r in reported if r[0] in best and r[1] <= 9]) == 3 * 9  # none twice
    assert nothing_left(going_on(asked))
    assert open_run(asked.folder).spec.budget.max_epochs == 30


@pytest.mark.usefixtures("without_ray")
def test_a_driver_killed_before_it_notes_what_it_trains_on_loses_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(tmp_path / "run", trials=6, scheduler="none")
    search(asked)
    longer = going_on(asked, max_epochs=12)
    assert longer.resumed is not None
    assert search_until(longer, monkeypatch, 0)
    assert open_run(asked.folder).spec.budget.max_epochs == 12
    again = going_on(asked)
    assert again.resumed is not None
    assert again.resumed.search.trained_on == longer.resumed.search.trained_on != []
    search(again)
    trained = [t for t in recorded(asked) if t.epochs == 12]
    assert len(trained) == 3
    assert all(t.planned == {1: 9, 10: 12} for t in trained)
    assert nothing_left(going_on(asked))


@pytest.mark.usefixtures("without_ray")
def test_a_training_that_ends_by_itself_is_trained_on_once(tmp_path: Path) -> None:
    def short(config: dict[str, Any], data: Any, *, max_epochs: int, **_: Any) -> Curve:
        return Curve(loss, config, min(max_epochs, 3))

    settings: dict[str, Any] = {"algo": "random", "trials": 4, "scheduler": "none"}
    asked = study_of(tmp_path / "run", short, space=SPACE, max_epochs=3, **settings)
    search(asked)
    longer = going_on(asked, max_epochs=6)
    assert not nothing_left(longer)
    search(longer)
    assert {trial.epochs for trial in recorded(asked)} <= {2, 3}
    assert nothing_left(going_on(asked))


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize(
    ("limit", "why"), [({"target_value": 5.0}, "target, 5"), ({"time_budget": 1e-9}, "time budget")]
)
def test_no_trial_is_trained_on_after_a_limit_of_the_search(
    tmp_path: Path, limit: dict[str, Any], why: str
) -> None:
    asked = study(tmp_path / "run", trials=6, scheduler="none")
    search(asked)
    with pytest.raises(ValueError, match=f"`max_epochs` 12: .*{why}"):
        check_longer(going_on(asked, max_epochs=12, **limit))
    check_longer(going_on(asked, max_epochs=12))
    check_longer(going_on(asked, **limit))


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("storage", [None, "before"])
def test_the_best_are_trained_on_with_another_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str | None
) -> None:
    more: dict[str, Any] = {"scheduler": "none", "storage": storage and str(tmp_path / storage)}
    asked = study(tmp_path / "run", trials=6, **more)
    search(asked)
    longer = going_on(asked, storage=str(tmp_path / "now"), max_epochs=12)
    assert longer.resumed is not None
    on = longer.resumed.search.trained_on
    assert len(on) == 3
    assert search_until(longer, monkeypatch, 2 * len(on))  # everything is recorded, nothing trained
    search(going_on(asked))
    events = read_events(RunFiles(asked.folder).events)
    epochs = [n for e in events if isinstance(e, Reported) and e.trial_id in on for n in e.values]
    assert sorted(epochs) == sorted([*range(1, 10)] * 3 + [*range(10, 13)] * 3)
    assert nothing_left(going_on(asked))


@pytest.mark.usefixtures("without_ray")
def test_each_storage_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = str(tmp_path / "storage")
    asked = study(tmp_path / "run", trials=2, storage=storage)
    search(asked)
    made: list[tuple[str, str]] = []

    def states(*place: str) -> KeptStates:
        made.append((place[0], "".join(place[1:])))
        return KeptStates(*place)

    monkeypatch.setattr(recorded_state, "KeptStates", states)
    going_on(asked)
    assert made == [(storage, "run"), (str(asked.folder), "")]


@pytest.mark.usefixtures("without_ray")
def test_a_checkpoint_is_found_in_any_storage_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(tmp_path / "run", trials=1, storage=str(tmp_path / "a"))
    assert search_until(asked, monkeypatch, 3)
    assert search_until(going_on(asked, storage=str(tmp_path / "b")), monkeypatch, 4)
    shutil.rmtree(tmp_path / "a")
    assert search_until(going_on(asked, storage=str(tmp_path / "c")), monkeypatch, 0)
    resumed = going_on(asked).resumed
    assert resumed is not None
    (running,) = resumed.search.unfinished
    assert str(running.attempt.checkpoint).startswith(str(tmp_path / "b" / "run"))


@pytest.mark.usefixtures("without_ray")
def test_a_checkpoint_is_not_deleted_where_the_address_of_its_storage_has_a_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of your own S3 server has."""
    query = "?endpoint_override=http://host:9000"
    asked = study(tmp_path / "run", trials=1, storage=f"file://{tmp_path}/a{query}")
    assert search_until(asked, monkeypatch, 3)
    assert search_until(going_on(asked), monkeypatch, 0)
    resumed = going_on(asked).resumed
    assert resumed is not None
    (running,) = resumed.search.unfinished
    place = str(running.attempt.checkpoint)
    assert place.startswith(f"file://{tmp_path}/a/run/")
    assert place.endswith(query)


@pytest.mark.usefixtures("without_ray")
def test_a_storage_that_cannot_be_reached_is_asked_once_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(tmp_path / "run", trials=3, storage=str(tmp_path / "a"))
    assert search_until(asked, monkeypatch, 7)
    asks: list[str] = []

    class Unplugged:
        @staticmethod
        def from_uri(storage: str) -> Any:
            asks.append(storage)
            if storage == str(tmp_path / "a"):
                raise OSError("no network")
            return FileSystem.from_uri(storage)

    monkeypatch.setattr(places, "FileSystem", Unplugged)
    monkeypatch.setattr(kept, "FileSystem", Unplugged)
    resumed = going_on(asked, storage=str(tmp_path / "b")).resumed
    assert resumed is not None
    assert resumed.unreachable == {str(tmp_path / "a"): "no network"}
    assert asks.count(str(tmp_path / "a")) == 1
    run = open_run(asked.folder)
    lines = list(resuming._lines(run, run.spec, resumed))
    says = (
        f"warning   checkpoints in {tmp_path / 'a'} are not used because it cannot be reached: "
        "no network"
    )
    assert says in lines


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
def test_those_that_were_running_are_made_longer_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study(tmp_path / "run", scheduler="none", trials=2)
    assert search_until(asked, monkeypatch, 1 + 2 * 4)
    search(going_on(asked, max_epochs=12))
    first, second = recorded(asked)
    assert (dict(first.planned), dict(second.planned)) == ({1: 9, 5: 12}, {})
    assert first.epochs == second.epochs == 12


@pytest.mark.usefixtures("without_ray")
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


@pytest.mark.usefixtures("without_ray")
def test_a_run_goes_on_where_it_was_moved_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after fetch.py: the checkpoints have moved with the run."""
    whole, cut = (study(tmp_path / name, trials=6) for name in ("whole", "cut"))
    search(whole)
    assert search_until(cut, monkeypatch, 9)
    moved = study(tmp_path / "laptop" / "again", trials=6)
    moved.folder.parent.mkdir()
    cut.folder.rename(moved.folder)
    more = going_on(moved)
    assert more.resumed is not None
    (running,) = more.resumed.search.unfinished
    assert str(running.attempt.checkpoint).startswith(str(moved.folder))
    search(more)
    assert decisions(recorded(moved)) == decisions(recorded(whole))
    assert not cut.folder.exists()
