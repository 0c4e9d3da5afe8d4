"""``run.py --resume``: what may differ from before, and what is printed."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from benchmarks.sets.configs import LENET
from pipelines import run
from pipelines.cli.command import USAGE, main
from pipelines.cluster.machines import Cluster
from pipelines.study.runs import open_run
from pipelines.tuner.scheduling.schedulers import SCHEDULERS
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made
from trainables.data.datasets import load

TRIAL = made([0.5, 0.6], config=LENET)


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(run.app, ["--resume", "it", *options]) == USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "3"], "--resume it has seed = 0, and cannot go on with --seed 3"),
        (["--algo", "random"], "has algo = optuna, and cannot go on with --algo random"),
        (["--data", "wine"], "has data = digits, and cannot go on with --data wine"),
        (["--metric", "val_loss"], "has metric = val_accuracy, and cannot go on with --metric"),
        (["--fix", "lr=0.1"], "has fix = {}, and cannot go on with --fix {'lr': 0.1}"),
        (["--name", "other"], "has name = it, and cannot go on with --name other"),
        (["--max-epochs", "3"], "--max-epochs 3 is below 30, which trials of it have trained"),
        (["--trials", "1"], "--trials 1: 2 have begun already"),
        (["--study", "x.yaml"], "--resume it has its own settings: leave --study out"),
        (["--trials", "0"], "--trials 0 is below 1"),
        ([], "searched other data: fingerprint none, now that of digits is"),
    ],
)
def test_what_cannot_change_is_refused_and_the_difference_named(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    fingerprint = "none" if not options else load("digits").fingerprint
    folder = write_run(elsewhere / "it", [TRIAL, TRIAL], fingerprint=fingerprint)
    (elsewhere / "x.yaml").write_text("{}")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}
    assert message in refused(capsys, *options)
    assert {p: p.read_bytes() for p in folder.iterdir() if p.name != "lock"} == before


@pytest.mark.parametrize("scheduler", [s for s in SCHEDULERS if SCHEDULERS[s].pauses])
def test_a_scheduler_that_pauses_trials_cannot_go_on(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], scheduler: str
) -> None:
    write_run(elsewhere / "it", [TRIAL], algo="random", scheduler=scheduler)
    assert "is not recorded; begin anew with --seed-from" in refused(capsys)


def test_a_folder_that_is_no_run(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no run in it: there is no such folder" in refused(capsys)
    Path("it").touch()
    assert "no run in it: it is a file" in refused(capsys)
    Path("it").unlink()
    Path("it").mkdir()
    assert "no run in it: it has no spec.json" in refused(capsys)


def test_a_run_that_is_complete_says_so(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(elsewhere / "it", [TRIAL], trials=1, fingerprint=load("digits").fingerprint)
    assert main(run.app, ["--resume", "it"]) == 0  # its table and its report are missing
    capsys.readouterr()
    assert main(run.app, ["--resume", "it"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("complete  it: all its 1 trials have ended; ask for more")


def test_a_full_disk_is_told_before_anything_begins(
    cluster: Cluster,
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = write_run(elsewhere / "it", [TRIAL, TRIAL], fingerprint=load("digits").fingerprint)
    sessions = len(open_run(folder).sessions)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert "it' cannot be written: No space left on device" in refused(capsys)
    assert len(open_run(folder).sessions) == sessions


def full(**_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_dry_run_estimates_what_is_left(
    cluster: Cluster, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(elsewhere / "it", [TRIAL, TRIAL], fingerprint=load("digits").fingerprint)
    assert main(run.app, ["--resume", "it", "--trials", "7", "--dry-run"]) == 0
    assert "5 trials of" in capsys.readouterr().out.splitlines()[-1]
