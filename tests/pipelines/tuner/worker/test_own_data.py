"""No trial sees what another trial does to its data, and large data are not copied."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.cluster.machines import Cluster
from pipelines.study.run_study import run_study
from pipelines.tuner.worker import own_data
from pipelines.tuner.worker.own_data import SMALL, OwnData
from tests.pipelines.running import Witness, study_of
from trainables.data.datasets import TrialData

PAGE = os.sysconf("SC_PAGE_SIZE")


def of_size(n_bytes: int) -> TrialData:
    """Data of ones, because all their sums are exact."""
    n = n_bytes // 16
    x, y = np.ones((n, 3), np.float32), np.ones(n, np.float32)
    return TrialData("ones", "regression", x, y, x[:10], y[:10], 1, (), "none")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of this process, and the folder in which it keeps data."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"rangefinder-{os.getuid()}"


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"lock"}


def halve(found: TrialData) -> None:
    """Changes the arrays, like a trainable that treats them as its own."""
    torch.from_numpy(found.x_train).mul_(0.5)


@pytest.mark.parametrize("size", [1000, 2 * SMALL])
def test_what_is_changed_is_there_again_for_the_next(temporary: Path, size: int) -> None:
    original = of_size(size)
    shared = OwnData(original, "a"), OwnData(original, "a")  # of two processes
    for _ in range(2):
        mine, theirs = (each.fresh() for each in shared)
        halve(mine)
        assert mine.x_train.sum() == original.x_train.size / 2
        for other in (theirs, shared[0].fresh(), original):
            assert other.x_train.sum() == original.x_train.size
            np.testing.assert_array_equal(other.y_val, original.y_val)
    assert (mine.name, mine.n_classes) == ("ones", 1)
    for each in shared:
        each.close()
    assert mine.x_train[0, 0] == 0.5  # only its owner sees the change
    assert size < SMALL or files_in(temporary) == set()


def changed_of(path: Path) -> int:
    """The bytes of the file's mappings of which this process has its own copy."""
    total, of_file = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            of_file = line.endswith(str(path))
        elif of_file and line.startswith("Anonymous:"):
            total += int(line.split()[1]) * 1024
    return total


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="reads Linux's /proc")
def test_large_data_are_not_copied_but_for_the_pages_that_are_changed(temporary: Path) -> None:
    owner = OwnData(of_size(2 * SMALL), "a")
    assert files_in(temporary) == {"a"}
    found = owner.fresh()
    assert found.x_train.sum() == found.x_train.size  # reads all of it
    assert changed_of(temporary / "a") == 0
    found.x_train[0] = 7
    assert changed_of(temporary / "a") == PAGE
    owner.close()


def test_what_a_killed_process_left_is_swept(temporary: Path) -> None:
    used = OwnData(of_size(2 * SMALL), "used")
    (temporary / "left").write_bytes(b"by a process that was killed")
    OwnData(of_size(2 * SMALL), "new").close()
    assert files_in(temporary) == {"used"}
    used.close()
    assert files_in(temporary) == set()


@pytest.mark.parametrize("fault", ["full disk", "folder of others"])
def test_without_a_place_for_the_file_the_data_are_copied(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def full(path: Path, arrays: object) -> None:
        path.write_bytes(b"cut short")
        raise OSError(28, "No space left on device")

    if fault == "full disk":
        monkeypatch.setattr(own_data, "_write", full)
    else:
        temporary.mkdir(mode=0o777)
        temporary.chmod(0o777)
    owner = OwnData(of_size(2 * SMALL), "a")
    assert files_in(temporary) == set()
    halve(owner.fresh())
    assert owner.fresh().x_train.mean() == 1
    owner.close()


def sums_and_halves(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    yield {"val_loss": float(data.x_train.sum() + data.y_val.sum())}, None
    halve(data)
    data.y_val[:] = 0
    yield {"val_loss": float(data.x_train.sum() + data.y_val.sum())}, None


@pytest.mark.parametrize("size", [1000, 2 * SMALL])
def test_a_trainable_that_changes_its_data_changes_no_other_trial(
    cluster: Cluster, tmp_path: Path, size: int
) -> None:
    """On real workers: two at a time, and several in each process."""
    ones = of_size(size)
    prepared = replace(study_of(tmp_path / "run", sums_and_halves, trials=8), folds=(ones,))
    result = run_study(prepared, cluster, Witness())
    assert [t.error for t in result.trials] == [""] * 8
    whole = ones.x_train.size
    assert [t.curve for t in result.trials] == [{1: whole + 10, 2: whole / 2}] * 8
