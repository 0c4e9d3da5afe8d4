"""One driver at a time, even if another machine does not see the lock."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from pipelines.record import lock
from pipelines.record.files import RunFiles
from pipelines.record.live import GONE, Driver, _started, write_live
from pipelines.record.lock import holding, is_held
from tests.pipelines.live.standing import standing

ELSEWHERE = replace(Driver.this(), host="elsewhere")


def test_a_driver_that_is_heard_from_another_machine_holds_the_run(tmp_path: Path) -> None:
    files, over = RunFiles(tmp_path), threading.Event()

    def go_on() -> None:
        while not over.wait(0.01):
            write_live(files, standing(driver=ELSEWHERE, every=0.01))

    write_live(files, standing(driver=ELSEWHERE, every=0.01))
    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        with pytest.raises(ValueError, match="is in use by another process"), holding(files):
            pass
    finally:
        over.set()
        writer.join()


@pytest.mark.parametrize("age", [0.0, 2 * GONE])
def test_one_that_was_killed_there_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    monkeypatch.setattr(lock, "_MARGIN", 0.1)
    files = RunFiles(tmp_path)
    write_live(files, standing(driver=ELSEWHERE, every=0.01, at=time.time() - age))
    with holding(files):
        pass


def test_nor_does_one_that_was_killed_here(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    write_live(files, standing(driver=replace(Driver.this(), started="0")))
    with holding(files):
        pass


def no_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_folder_without_locks_is_said_once_and_a_driver_there_is_heard(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
) -> None:
    no_locks(monkeypatch, number)
    files = RunFiles(tmp_path)
    with holding(files), holding(files):
        write_live(files, standing())
        assert is_held(files)
    assert capsys.readouterr().err.count(f"{files.lock}: {os.strerror(number)}") == 1
    write_live(files, standing(driver=Driver(socket.gethostname(), 1, _started(1))))
    with pytest.raises(ValueError, match="is in use by another process"), holding(files):
        pass
    write_live(files, standing(driver=ELSEWHERE, at=time.time() - 2 * GONE))
    assert not is_held(files)


def test_another_error_of_a_lock_is_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_locks(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"), holding(RunFiles(tmp_path)):
        pass


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_may_not_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(path: object, *_: object, **more: object) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "open", refused)
    with (
        pytest.raises(ValueError, match=f"cannot be written: {os.strerror(number)}"),
        holding(RunFiles(tmp_path)),
    ):
        pass


def test_two_looks_at_once_are_no_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = RunFiles(tmp_path)
    files.lock.touch()
    answers: list[bool] = []
    acquire = FileLock.acquire

    def looked_at(self: FileLock, **options: Any) -> Any:
        held = acquire(self, **options)
        if threading.current_thread() is threading.main_thread():
            other = threading.Thread(target=lambda: answers.append(is_held(files)))
            other.start()
            other.join(0.5)  # it waits for this look
        return held

    monkeypatch.setattr(FileLock, "acquire", looked_at)
    assert not is_held(files)
    while not answers:
        time.sleep(0.01)
    assert answers == [False]
