"""A disk that is full for a moment, and a disk that stays full."""

from __future__ import annotations

import errno
import inspect
import os
import resource
import time
from pathlib import Path
from typing import Any

import pytest
from pyarrow.fs import copy_files
from ray.tune import Checkpoint

import pipelines.record.patience as waiting
from pipelines.cli.command import FAILURE, command, main
from pipelines.record.files import RunFiles
from pipelines.record.goals import Aim, Goals
from pipelines.record.journal import Journal, load_journal
from pipelines.record.lines import Lines, read_lines
from pipelines.record.patience import StorageError, in_words, naming, patient, storage_reason
from pipelines.record.trials import FinishedTrial, State
from pipelines.record.writing import Record
from pipelines.tuner import kept
from search_spaces import Float, SearchSpace

SPACE = SearchSpace({"x": Float(0.0, 1.0)})
FULL = OSError(errno.ENOSPC, "No space left on device", "/runs/x")


@pytest.fixture(autouse=True)
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_PAUSE", 0.0)
    monkeypatch.setattr(waiting, "_minute", waiting.Minute())


class Disk:
    """A disk that is full for this many writes."""

    def __init__(self, full: int) -> None:
        self.full = full

    def write(self) -> str:
        self.full -= 1
        if self.full >= 0:
            raise FULL
        return "written"


def test_what_a_full_disk_refuses_is_written_once_there_is_room(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert patient(Disk(full=3).write)() == "written"
    assert capsys.readouterr().err == "waiting   /runs/x: No space left on device\n"


def test_a_disk_that_stays_full_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", -1.0)
    with pytest.raises(StorageError, match="/runs/x: No space left on device"):
        patient(Disk(full=9).write)()


def test_one_minute_is_for_all_that_is_to_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when an error is to be recorded, and then the record is closed."""
    now = 1000.0

    def sleep(_: float) -> None:
        nonlocal now
        now += 1

    def waited() -> float:
        before = now
        with pytest.raises(StorageError):
            patient(Disk(full=999).write)()
        return now - before

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", sleep)
    assert waited() == 61
    assert waited() == 0
    assert patient(Disk(full=0).write)() == "written"
    assert waited() == 61
    now += 1000  # of another search, say
    assert waited() == 61


def test_a_write_that_fails_names_the_file(tmp_path: Path) -> None:
    """The system names a file that it cannot open, but not a file that it cannot write to."""
    record = Record(RunFiles(tmp_path), tmp_path / "j", SPACE, Goals((Aim("value", "min"),)))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for write, name in ((record.write_error, "errors"), (record.write_printed, "printed")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
        try:
            with pytest.raises(OSError, match="File too large") as caught:
                inspect.unwrap(write)(record, "a", "long" * 10_000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert in_words(caught.value) == f"{tmp_path / name / 'a.txt'}: File too large"


def test_an_error_that_has_no_number_keeps_its_words() -> None:
    """As pyarrow raises what S3 says: with a file's name it would say nothing else any more."""
    with pytest.raises(OSError, match="refused") as caught, naming("/runs/x"):
        raise OSError("S3 has refused it")
    assert in_words(caught.value) == str(caught.value) == "S3 has refused it"


def test_the_disk_is_found_behind_what_was_raised_later() -> None:
    later = RuntimeError("Ray's words")
    later.__context__ = FULL
    assert storage_reason(later) == "/runs/x: No space left on device"
    assert storage_reason(RuntimeError("a bug")) == ""
    assert storage_reason(FileNotFoundError("a bug")) == ""


def test_a_command_that_finds_a_full_disk_ends_in_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def saves() -> None:
        raise FULL

    assert main(command(saves), []) == FAILURE
    assert capsys.readouterr().err == "error: /runs/x: No space left on device\n"


def test_a_trial_of_which_half_a_line_was_written_is_recorded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.journal"
    journal = Journal(path, SPACE, Goals((Aim("value", "min"),)))
    sound, refused = os.fsync, [FULL]

    def full_once(descriptor: int) -> None:
        sound(descriptor)
        if refused:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - 20)
            raise refused.pop()

    monkeypatch.setattr(os, "fsync", full_once)
    journal.append(FinishedTrial("a", {"x": 0.5}, State.COMPLETE, {1: 0.5}, 0.5, best_epoch=1))
    assert [t.trial_id for t in load_journal(path)] == ["a"]


def test_a_journal_that_cannot_begin_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "study.journal"
    with pytest.raises(OSError, match="No space left") as caught:
        Journal(path, SPACE, Goals((Aim("value", "min"),)))
    assert in_words(caught.value) == f"{path}: No space left on device"


def test_half_a_line_of_what_happens_is_taken_away(tmp_path: Path) -> None:
    """If a file cannot grow any more, as on a full disk."""
    lines = Lines(tmp_path / "events")
    lines.append({"n": 1})
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            lines.append({"n": "long" * 10})
    finally:
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    lines.append({"n": 2})
    lines.close()
    assert read_lines(tmp_path / "events") == [{"n": 1}, {"n": 2}]


def test_a_state_to_train_on_is_kept_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "training.pt").write_text("state")
    disk = Disk(full=2)

    def copy(*places: str, **filesystems: Any) -> None:
        disk.write()
        copy_files(*places, **filesystems)

    monkeypatch.setattr(kept, "copy_files", copy)
    trial = FinishedTrial("a", {"x": 0.5}, State.COMPLETE, {1: 0.7}, 0.7, 1)
    kept.KeptStates(str(tmp_path)).keep(trial, Checkpoint(str(tmp_path / "state")))
    assert (tmp_path / "kept" / "a-1" / "training.pt").read_text() == "state"
