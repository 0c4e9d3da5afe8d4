"""Files are replaced completely, or stay as they were."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.record.files import RunFiles
from pipelines.record.whole import replace_file, replacing
from pipelines.record.writing import mend


def test_a_copy_that_is_cut_short_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the driver is killed, or the disk is full."""
    better, best = tmp_path / "weights.pt", tmp_path / "best.pt"
    better.write_text("the better weights")
    best.write_text("the best so far")

    def half(source: Path, target: Path) -> None:
        Path(target).write_text(Path(source).read_text()[:6])
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", half)
        with pytest.raises(OSError, match="No space left"):
            replace_file(better, best)
    assert best.read_text() == "the best so far"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "weights.pt"]
    replace_file(better, best)
    assert best.read_text() == "the better weights"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "weights.pt"]


def test_two_processes_may_write_one_file_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "report.html"
    with replacing(page) as ours:
        ours.write_text("ours")
        monkeypatch.setattr("os.getpid", lambda: 1)
        with replacing(page) as theirs:
            theirs.write_text("theirs")
        assert page.read_text() == "theirs"
    assert page.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [page]


def test_what_a_killed_driver_had_half_written_is_removed(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    files.repeated_weights.mkdir()
    parts = [tmp_path / ".best.pt.12.part", files.repeated_weights / ".a.pt.12.part"]
    for path in (*parts, files.weights):
        path.touch()
    mend(files, None)
    assert not any(path.exists() for path in parts)
    assert files.weights.exists()
