"""One driver at a time, where a lock is not seen on another machine too."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.record import lock
from pipelines.record.files import RunFiles
from pipelines.record.live import GONE, Driver, write_live
from pipelines.record.lock import holding
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
        with pytest.raises(ValueError, match="is in the hands of another process"), holding(files):
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
