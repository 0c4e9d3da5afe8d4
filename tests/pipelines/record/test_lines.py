"""Append-only files: what a killed driver leaves, and who may go on with the run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from pipelines.record import lock
from pipelines.record.events import (
    Asked,
    Ended,
    Events,
    Planned,
    Reported,
    Saved,
    TrainedOn,
    TriedAgain,
    read_events,
)
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.journal import Journal, JournalReader, load_journal
from pipelines.record.lines import Lines, read_lines, repair, torn
from pipelines.record.lock import holding, is_held
from pipelines.record.sessions import (
    FAILED,
    KILLED,
    Session,
    note_killed,
    note_results,
    read_sessions,
    working,
)
from search_spaces import Config, Float, SearchSpace
from tests.pipelines.results.made import made


def test_what_happened_comes_back(tmp_path: Path) -> None:
    events = Events(tmp_path / "events.jsonl", clock=lambda: 1.5)
    config: Config = {"lr": 0.1 + 0.2, "n": 3, "deep": True, "kind": "a"}
    events.asked("a", config, 7, "")
    events.reported("a", [(1, 1 / 3), (2, 0.25)])
    events.reported("a", [])  # no sound epoch
    events.saved("a", "ray/x/checkpoint_0", {1: {"val_loss": 1 / 3}})
    events.tried_again("a", {"machines_lost": 1, "failures": 2})
    events.trained_on("a", "kept/a-2")
    events.planned("a", {1: 2, 3: 9})
    events.ended("a")
    events.asked("b", config, 8, "a")
    events.close()
    assert read_events(tmp_path / "events.jsonl") == [
        Asked(1.5, "a", config, 7),
        Reported(1.5, "a", {1: 1 / 3, 2: 0.25}),
        Saved(1.5, "a", "ray/x/checkpoint_0", {1: {"val_loss": 1 / 3}}),
        TriedAgain(1.5, "a", {"machines_lost": 1, "failures": 2}),
        TrainedOn(1.5, "a", "kept/a-2"),
        Planned(1.5, "a", {1: 2, 3: 9}),
        Ended(1.5, "a"),
        Asked(1.5, "b", config, 8, "a"),
    ]


@pytest.mark.parametrize("lost", [1, 5])
def test_a_last_line_that_was_cut_short_is_left_out_and_taken_away(
    tmp_path: Path, lost: int
) -> None:
    path = tmp_path / "x.jsonl"
    lines = Lines(path)
    for n in range(3):
        lines.append({"n": n})
    lines.close()
    path.write_bytes(path.read_bytes()[:-lost])
    whole = [{"n": n} for n in range(2)]
    left = len(path.read_bytes()) - 2 * len('{"n":0}\n')
    assert read_lines(path) == whole
    assert torn(path) == left
    repair(path)
    assert torn(path) == 0
    lines.append({"n": 9})
    lines.close()
    assert read_lines(path) == [*whole, {"n": 9}]


def parts_of_a_last_line(whole: bytes, last: bytes, step: int = 1) -> Iterator[bytes]:
    """What a reader may see of ``whole + last`` on NFS: only a part, the size before the bytes, or
    the end before the middle."""
    for seen in range(0, len(last), step):
        yield whole + last[:seen]
        yield (whole + last[:seen]).ljust(len(whole + last), b"\0")
        yield whole + last[:seen] + b"\0" + last[seen + 1 :]


def test_a_last_line_that_is_not_all_there_yet_is_left_out_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    whole, last = b'{"n":0}\n{"n":1}\n', b'{"n":2,"text":"a longer one"}\n'
    for content in parts_of_a_last_line(whole, last):
        path.write_bytes(content)
        assert read_lines(path) == [{"n": 0}, {"n": 1}], content
        repair(path)
        assert path.read_bytes() == whole, content


def test_lines_after_bytes_that_are_not_there_wait_for_them(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"n":0}\n{"n"\0\0\0\0\0\0\0\0\0\0:2}\n{"n":3}\n')
    assert (read_lines(path), torn(path)) == ([{"n": 0}], 26)


def test_a_reader_of_a_journal_meets_no_trial_that_is_not_all_there(tmp_path: Path) -> None:
    trials = [made([0.5, 0.6], config={"x": 0.5}, trial_id=name) for name in "abc"]
    path, space = tmp_path / "study.journal", SearchSpace({"x": Float(0.0, 1.0)})
    journal = Journal(path, space, Goals((Aim("value", "max"),)))
    for trial in trials[:2]:
        journal.append(trial)
    whole = path.read_bytes()
    journal.append(trials[2])
    all_of_it = path.read_bytes()
    growing = JournalReader(path)
    for content in parts_of_a_last_line(whole, all_of_it[len(whole) :], step=5):
        path.write_bytes(content)
        assert load_journal(path) == growing.trials() == trials[:2], content
    path.write_bytes(all_of_it)
    assert load_journal(path) == growing.trials() == trials


def test_a_file_of_half_a_line_and_one_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    repair(path)
    assert (read_lines(path), torn(path)) == ([], 0)
    path.write_bytes(b"x" * 100_000)
    assert (read_lines(path), torn(path)) == ([], 100_000)
    repair(path)
    assert path.read_bytes() == b""
    path.write_bytes(b"{}\n" + b"x" * 100_000)
    repair(path)
    assert read_lines(path) == [{}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}\n", "line 1 is not an event"),
        ('{"at":1,"ended":"a"}\nx\n', "line 2 cannot be read"),
        ("[]\n", "line 1 is not a JSON object"),
        ('{"at":1,"asked":"a","config":3,"seed":0}\n', "line 1 is not an event"),
    ],
)
def test_a_record_that_somebody_has_edited_is_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_events(path)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(": restore the file, or delete this line to do without it")


@pytest.mark.parametrize("damaged", range(4))
def test_sessions_can_be_read_without_the_lines_that_an_error_names(
    tmp_path: Path, damaged: int
) -> None:
    files = RunFiles(tmp_path)
    for _ in range(2):
        with working(files, "search", {}):
            pass
    lines = files.sessions.read_text().splitlines(keepends=True)
    lines[damaged] = "x\n"
    sessions: list[Session] = []
    while not sessions:
        files.sessions.write_text("".join(lines))
        try:
            sessions = read_sessions(files)
        except ValueError as error:
            named = re.search(r"line (\d+) .*, or delete this line", str(error))
            assert named is not None
            del lines[int(named[1]) - 1]
    assert sessions[-1].by in (FAILED, None)


def test_sessions(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    assert read_sessions(files) == []
    with working(files, "search", {}) as session:
        (now,) = read_sessions(files)
        assert (now.part, now.ended, now.by) == ("search", None, None)
        session.by = "interrupt"
    with pytest.raises(RuntimeError), working(files, "search", {"budget": {"trials": 9}}):
        raise RuntimeError
    begun, _ = files.sessions.read_text().splitlines()[:2]
    with files.sessions.open("a") as file:
        file.write(f"{begun}\n")
    note_killed(files, replace(now, ended=now.begun + 5, measured=3.0))
    sessions = read_sessions(files)
    assert [s.by for s in sessions] == ["interrupt", FAILED, KILLED]
    assert sessions[1].changes == {"budget": {"trials": 9}}
    assert sessions[2].seconds == pytest.approx(5)
    assert sessions[2].worked == 3.0
    note_results(files)
    assert read_sessions(files) == [*sessions[:2], replace(sessions[2], has_results=True)]


def test_a_session_worked_for_as_long_as_a_clock_says_that_nobody_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, began = RunFiles(tmp_path), time.time()
    with monkeypatch.context() as patch, working(files, "search", {}):
        patch.setattr(time, "time", lambda: began + 3600)  # or a laptop that was closed
    (session,) = read_sessions(files)
    assert session.seconds > 3000
    assert session.worked < 3000


def test_a_session_of_an_older_version_worked_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    begun = {"begun": 10.0, "part": "search", "host": "h", "process": 1, "changes": {}}
    lines = (begun, {"ended": 14.0, "by": ""})
    files.sessions.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (session,) = read_sessions(files)
    assert (session.worked, session.has_results) == (4.0, False)


HOLD = """
import sys, time
from pathlib import Path
from pipelines.record.files import RunFiles
from pipelines.record.lock import holding
with holding(RunFiles(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_that_only_looks_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = RunFiles(tmp_path)
    looking = FileLock(files.lock.absolute(), thread_local=False)
    looking.acquire()
    monkeypatch.setattr(lock, "_GLANCE", 60.0)
    monkeypatch.setattr(time, "sleep", lambda seconds: looking.release())  # between two tries
    with holding(files):
        assert not looking.is_locked


def test_one_process_at_a_time_and_the_lock_dies_with_it(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    assert not is_held(files)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert is_held(files)
        with pytest.raises(ValueError, match="is in use by another process"), holding(files):
            pass
        process.kill()
    assert not is_held(files)
    with holding(files):
        assert is_held(files)
        with holding(files):  # the same process
            pass
        assert is_held(files)
    assert not is_held(files)
