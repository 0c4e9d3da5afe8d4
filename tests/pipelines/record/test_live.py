"""``live.json`` is complete or missing, and tells which process writes it."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.record.files import RunFiles
from pipelines.record.live import GONE, LATE, Driver, read_live
from tests.pipelines.live.standing import running, standing, write


def test_what_is_written_is_read(tmp_path: Path) -> None:
    trial = running([0.5, 0.6], changes={2: {"lr": 0.1}})
    live = write(tmp_path, trial)
    assert read_live(RunFiles(tmp_path)) == live
    assert [path.name for path in tmp_path.iterdir()] == ["live.json"]


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"format": 2}', '{"format": 1, "driver": {}}']
)
def test_what_is_not_to_be_understood_is_nothing(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "live.json").write_text(content)
    assert read_live(RunFiles(tmp_path)) is None


@pytest.mark.parametrize("part", [OSError(errno.ESTALE, "Stale file handle"), '{"format": 1, "dr'])
def test_one_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: OSError | str
) -> None:
    live, read, seen = write(tmp_path), Path.read_text, iter([part])

    def as_on_nfs(path: Path) -> str:
        first = next(seen, None)
        if isinstance(first, OSError):
            raise first
        return first or read(path)

    monkeypatch.setattr(Path, "read_text", as_on_nfs)
    assert read_live(RunFiles(tmp_path)) == live


def test_a_driver_that_was_killed_is_gone_and_its_zombie_too() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        driver = replace(Driver.this(), pid=process.pid)
        assert not driver.runs, "another process with its number"
        driver = _driver_of(process.pid)
        assert driver.runs
        process.kill()
        end = time.monotonic() + 60
        while driver.runs:  # the signal takes its time; nobody has asked for its exit code yet
            assert time.monotonic() < end
            time.sleep(0.01)
        assert process.returncode is None
    assert not driver.runs


def _driver_of(pid: int) -> Driver:
    """The driver that this process would record for itself."""
    from pipelines.record import live

    return replace(Driver.this(), pid=pid, started=live._started(pid))


def test_a_search_is_late_before_it_is_given_up() -> None:
    dead = replace(Driver.this(), started="0")
    elsewhere = replace(Driver.this(), host="elsewhere")
    now = time.time()
    for driver, age, late, over in (
        (Driver.this(), 0, False, False),
        (Driver.this(), 3600, True, False),  # it is busy
        (dead, 0, False, False),  # written just now: its number is that of another system
        (dead, LATE + 3, True, True),
        (elsewhere, LATE + 3, True, False),
        (elsewhere, GONE + 3, True, True),
    ):
        live = standing(driver=driver, at=now - age)
        assert (live.is_late, live.is_over) == (late, over), (driver, age)
