"""Run folders that were edited give one line or a sensible page. Nothing in them is run, and a
terminal or a browser gets them only as text."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines import report, zoom
from pipelines.cli.command import main
from pipelines.recipe.subject import SubjectSettings, find_subject
from pipelines.record.baselines import write_baselines
from pipelines.record.looks import Look, add_look
from pipelines.record.trials import FinishedTrial
from pipelines.record.writing import Record
from pipelines.study.runs import open_run
from pipelines.study.seeding import load_history
from search_spaces import SPACES
from tests.pipelines.hostile import ESCAPE, IN_PLACE, copy_of, json_changes, put
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import searched
from tests.refusals import assert_one_line

FILES = (
    "spec.json",
    "study.journal",
    "repeats.journal",
    "trials.csv",
    "preprocessing.json",
    "sessions.jsonl",
    "events.jsonl",
    "evaluation.json",
    "baselines.json",
    "live.json",
    "report.html",
)
SHOWN = ("bytes", "a device")  # of the things that replace a file
PAGES = 18  # of the changes, with a report too: a page takes longer than all else


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "sound"
    trials = searched(8)
    write_run(folder, trials, trials=8)
    run = open_run(folder)
    first = run.finished[0]
    repeats = Record(run.files, run.files.repeats, run.space, run.goals)
    repeats.append(replace(first, trial_id="again", repeat_of=first.trial_id, seed=1))
    repeats.close()
    write_baselines(run.files.baselines, {"ridge": {"val_accuracy": 0.5}})
    add_look(run.files.looks, look_at(first))
    return folder


def look_at(trial: FinishedTrial) -> Look:
    values, confusion = {"test_accuracy": (0.5,)}, ((1.0, 2.0), (2.0, 1.0))
    return Look(
        1e9,
        (0,),
        (trial.config,),
        (1,),
        (1,),
        60,
        6,
        values,
        confusion,
        together={"test_accuracy": 0.5},
        baselines={"ridge": {"test_accuracy": 0.5}},
        trial_ids=(trial.trial_id,),
    )


def read_all(folder: Path) -> None:
    """Everything that reads a run except its page, in the order of reading."""
    run = open_run(folder)
    _ = run.trials, run.curves, run.result, run.lr_bounds, run.lr_tests, run.versions, run.forbids
    _ = run.looks, run.repeated, run.baselines
    load_history(folder, SPACES["mlp"], run.goals, "none", split_seed=0)
    find_subject(SubjectSettings.model_validate({"from_": folder}))


@contextmanager
def in_time(seconds: int = 20) -> Iterator[None]:
    """Fails in time: to read a pipe or a device would never end."""

    def too_late(signum: int, frame: object) -> None:
        raise TimeoutError(f"still reading after {seconds} s")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def one_line_or_fine(read: Callable[[], object]) -> None:
    try:
        with in_time():
            read()
    except ValueError as error:
        assert_one_line(error)


def assert_shown(command: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with in_time():
        code = main(command.app, [str(folder)])
    shown = capsys.readouterr()
    if code == 2:
        assert shown.err.count("\n") == 1
        assert len(shown.err) < 2000
    else:
        assert (code, shown.err) == (0, "")
    assert all(line.isprintable() for line in (shown.out + shown.err).splitlines())
    page = folder / "report.html"
    if page.is_file():
        assert "<script>alert" not in page.read_text()


def some(changes: Iterator[tuple[str, Any]], n: int) -> list[tuple[str, Any]]:
    found = list(changes)
    return random.Random(0).sample(found, min(n, len(found)))


@pytest.mark.parametrize("thing", IN_PLACE)
@pytest.mark.parametrize("file", FILES)
def test_something_else_in_the_place_of_a_file(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, thing: str
) -> None:
    folder = copy_of(sound, tmp_path / "run")
    put(folder / file, IN_PLACE[thing])
    one_line_or_fine(lambda: read_all(folder))
    if thing in SHOWN:
        assert_shown(report, folder, capsys)


def test_a_header_with_anything_in_it(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of(sound, tmp_path / "run")
    header = json.loads((sound / "spec.json").read_text())
    for number, (change, content) in enumerate(some(json_changes(header), 500)):
        print(change)
        (folder / "spec.json").write_text(json.dumps(content))
        one_line_or_fine(lambda: read_all(folder))
        if number < PAGES // 2:
            capsys.readouterr()
            assert_shown(report, folder, capsys)
            assert_shown(zoom, folder, capsys)


def test_a_journal_with_anything_in_it(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_of(sound, tmp_path / "run")
    lines = [json.loads(line) for line in (sound / "study.journal").read_text().splitlines()]
    for place in (0, 1, 3):
        for number, (change, content) in enumerate(some(json_changes(lines[place]), 150)):
            print(place, change)
            changed = [*lines[:place], content, *lines[place + 1 :]]
            text = "".join(f"{json.dumps(line)}\n" for line in changed)
            (folder / "study.journal").write_text(text)
            one_line_or_fine(lambda: read_all(folder))
            if number < PAGES // 6:
                capsys.readouterr()
                assert_shown(report, folder, capsys)


@pytest.mark.parametrize("file", ["evaluation.json", "baselines.json"])
def test_what_was_measured_with_anything_in_it(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    folder = copy_of(sound, tmp_path / "run")
    content = json.loads((sound / file).read_text())
    for number, (change, other) in enumerate(some(json_changes(content), 300)):
        print(change)
        (folder / file).write_text(json.dumps(other))
        one_line_or_fine(lambda: read_all(folder))
        if number < PAGES // 3:
            capsys.readouterr()
            assert_shown(report, folder, capsys)


def test_a_trial_that_runs_is_not_there(sound: Path, tmp_path: Path) -> None:
    """As in the journal of a plain Optuna search."""
    folder = copy_of(sound, tmp_path / "run")
    lines = [json.loads(line) for line in (sound / "study.journal").read_text().splitlines()]
    lines[2] = {name: lines[2][name] for name in ("op_code", "worker_id", "study_id")}
    lines[2]["datetime_start"] = "2026-01-01T00:00:00"
    (folder / "study.journal").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert len(open_run(folder).finished) == len(open_run(sound).finished) - 1


def test_names_that_would_move_a_terminal(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Strings that a record may hold: they are shown as text, in the page too."""
    folder = copy_of(sound, tmp_path / "run")
    header = json.loads((sound / "spec.json").read_text())
    header["prepared"]["data"] |= {"name": ESCAPE, "classes": [ESCAPE, "b"]}
    header["problem"]["target"] = ESCAPE
    (folder / "spec.json").write_text(json.dumps(header))
    lines = [json.loads(line) for line in (sound / "study.journal").read_text().splitlines()]
    lines[2]["user_attrs"] |= {"error": ESCAPE, "node": ESCAPE, "clue": ESCAPE}
    (folder / "study.journal").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert_shown(report, folder, capsys)
    assert (folder / "report.html").is_file()
