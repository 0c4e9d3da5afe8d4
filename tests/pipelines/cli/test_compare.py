"""The command compare.py as a user types it."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines import compare
from pipelines.cli import comparison as running
from pipelines.cli.command import main
from pipelines.cluster.machines import Cluster
from pipelines.record.files import RunFiles
from pipelines.record.sessions import read_sessions
from pipelines.study.comparing.comparison import Comparison
from pipelines.study.comparing.comparison_spec import DOUBLE
from pipelines.study.interrupts import EXIT_CODES
from pipelines.study.result import StudyResult
from pipelines.study.run_study import run_study
from pipelines.study.study import Study
from tests.pipelines.results.made import FAILED, made

SMALL = [
    *("--algos", "random", "--trials", "2", "--max-epochs", "1", "--seeds", "1"),
    "--no-portfolio",
]

HOLDS = """
import sys
from pathlib import Path
from pipelines.record.files import RunFiles
from pipelines.record.lock import holding
folder = Path(sys.argv[1])
folder.mkdir(parents=True)
with holding(RunFiles(folder)):
    print("held", flush=True)
    input()
"""


def test_a_comparison_runs_and_runs_no_cell_again(
    cluster: Cluster, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--algos", "random", "optuna", "--trials", "3", "--max-epochs", "2"]
    options = [*few, "--no-portfolio"]
    assert main(compare.app, [*options, "--seeds", "1"]) == 0
    shown = capsys.readouterr().out
    assert sum("seed 0" in line for line in shown.splitlines()) == 3
    folder = Path("runs/compare")
    with (folder / "table.csv").open() as lines:
        table = {row["algo"]: row for row in csv.DictReader(lines)}
    assert set(table) == {"random", "optuna", DOUBLE}
    assert float(table[DOUBLE]["epochs"]) > float(table["random"]["epochs"])
    assert table["random"]["best_error"] == ""
    assert "data      digits: " in shown
    assert "+-" not in shown
    page = (folder / "best_so_far.html").read_text()
    assert "epochs spent" in page
    assert f"<h1>{folder.name}</h1>" in page

    assert main(compare.app, [*options, "--seeds", "1"]) == 0
    assert "seed 0" not in capsys.readouterr().out

    repeated = ["--algos", "random", "--algos", "optuna", *options[3:]]
    assert main(compare.app, [*repeated, "--seeds", "1"]) == 0
    assert "seed 0" not in capsys.readouterr().out

    assert main(compare.app, [*options, "--data", "wine"]) == 2
    error = capsys.readouterr().err
    assert "compares with problem.data = digits, not wine: choose another --name" in error


def test_a_comparison_that_another_process_runs_is_refused(
    cluster: Cluster, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = Path("runs/compare/random-0")
    command = [sys.executable, "-c", HOLDS, str(cell.parent.absolute())]
    root, pipe = Path(compare.__file__).parents[1], subprocess.PIPE
    with subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        cell.mkdir()
        assert main(compare.app, SMALL) == 2
        other.communicate("\n")
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "runs/compare is in use by another process" in error
    assert cell.is_dir()


def test_one_that_another_process_runs_is_refused_before_ray_starts(
    elsewhere: Path,
) -> None:
    folder = Path("runs/compare").absolute()
    with Comparison(folder).held({}, {}):
        command = [sys.executable, compare.__file__, *SMALL, "--address", "local"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    whose = f"{os.getpid()} on {socket.gethostname()}"
    assert done.stderr == f"error: {folder} is in use by another process: {whose}\n"
    assert done.stdout == ""


@pytest.mark.parametrize(("reason", "code"), EXIT_CODES.items())
def test_what_interrupts_a_cell_decides_the_exit_code(
    cluster: Cluster, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, reason: str, code: int
) -> None:
    def stopped(*_: Any) -> StudyResult:
        return StudyResult([made([0.5])], "val_accuracy", 1, ended_by=reason)

    monkeypatch.setattr(running, "run_study", stopped)
    assert main(compare.app, SMALL) == code
    assert not Comparison(Path("runs/compare")).cells()


def test_a_cell_whose_checkpoints_could_not_be_written_is_not_finished(
    cluster: Cluster,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*_: Any) -> StudyResult:
        return StudyResult([made([0.5])], "val_accuracy", 1, ended_by="storage")

    monkeypatch.setattr(running, "run_study", stopped)
    assert main(compare.app, SMALL) == 1
    assert capsys.readouterr().err == (
        "all finished trials are kept; type the same command to go on\n"
        "error: random with seed 0 has stopped: checkpoints could not be written\n"
    )
    assert not Comparison(Path("runs/compare")).cells()


def test_a_cell_without_a_sound_trial_says_why_most_of_them_failed() -> None:
    failed = [made([], FAILED, error=e) for e in ("a", "b", "b")]
    why = running._why_none(StudyResult(failed, "val_accuracy", 1))
    assert why == "2 of 3 trials failed with b"
    assert running._why_none(StudyResult([], "val_accuracy", 1)) == "no trial is sound"


@pytest.mark.parametrize("without", [["random-0"], ["random-0", "random-x2-0"]])
def test_a_cell_without_a_result_does_not_end_the_comparison(
    cluster: Cluster,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    without: list[str],
) -> None:
    def run(study: Study, *more: Any) -> StudyResult:
        if study.spec.run.name not in without:
            return run_study(study, *more)
        failed = made([], FAILED, error="boom")
        return StudyResult([failed], "val_accuracy", 1)

    monkeypatch.setattr(running, "run_study", run)
    for _ in range(2):
        assert main(compare.app, SMALL) == 1
        told, error = capsys.readouterr()
        assert "random     seed 0  no result: 1 of 1 trials failed with boom" in told
        assert error == f"error: no result for {', '.join(without)}: see above\n"
    assert Path("runs/compare/table.csv").is_file() == (len(without) == 1)
    (session, _) = read_sessions(RunFiles(Path("runs/compare")))
    assert session.by == ""


def test_an_interruption_between_two_cells_says_how_to_go_on(
    cluster: Cluster,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Comparison, "finish", interrupted)
        assert main(compare.app, SMALL) == EXIT_CODES["interrupt"]
    assert "all finished trials are kept; type the same command to go on" in capsys.readouterr().err


@pytest.mark.slow
def test_finished_cells_are_taken_from_their_records_if_the_table_is_gone(
    cluster: Cluster,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(compare.app, SMALL) == 0
    table = Path("runs/compare/cells.csv")
    before = table.read_bytes()
    damaged = before.replace(b"random,0", b"random,x")
    table.write_bytes(damaged)
    capsys.readouterr()
    assert main(compare.app, SMALL) == 2
    error = capsys.readouterr().err
    assert f"{table.absolute()}, line 2 is not a cell: restore the file, or delete it" in error
    assert table.read_bytes() == damaged

    def never(*_: Any) -> StudyResult:
        raise AssertionError("nothing is left to train")

    monkeypatch.setattr(running, "run_study", never)
    table.unlink()
    assert main(compare.app, SMALL) == 0
    assert table.read_bytes() == before


def test_machines_that_do_not_share_the_runs_are_found_before_anything_is_written(
    cluster: Cluster,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def check(cluster: Cluster, storage: str, *_: Any, instead: str, **__: Any) -> None:
        raise ValueError(f"{storage}: {instead}")

    monkeypatch.setattr(running, "preflight", check)
    monkeypatch.setattr(running, "has_several_nodes", lambda cluster: True)
    assert main(compare.app, SMALL) == 2
    told, error = capsys.readouterr()
    runs = elsewhere / "runs"
    assert f"note      all machines must share the folder {runs}" in told
    assert error == f"error: {runs}: give a folder that all machines share as --runs-dir\n"
    assert not runs.exists()


def test_options_that_have_no_effect_are_named(
    cluster: Cluster, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(compare.app, [*SMALL, "--levels", "lr=3", "--scheduler", "none"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "has no effect" in line]
    assert told == ["note      --levels has no effect with --algos random"]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("--algos tpe", "'tpe' is none of"),
        ("--algos --seeds 5", "--algos names no algorithm"),
        ("--algos random --seeds 0", "0 is below 1"),
        ("--algos grid --trials 5", "the grid has 36 configs"),
        ("--algos random --name a/b", "'a/b'"),
        ("--algos random --repeats 3", "--repeats 3 is for a single search: use --seeds"),
        ("--algos random --gpus-per-trial auto", "--gpus-per-trial auto is for a single search"),
        ("--algos random --grace-period 9 --max-epochs 3", "is above --max-epochs 3"),
        ("--algos optuna --scheduler pbt", "--scheduler pbt changes configs itself"),
        (
            "--algos random optuna --trials 7",
            "all 7 trials of random would be configs to try first, the same for each algorithm",
        ),
        ("--algos random --trials 6", "use --trials 8 or more, or --no-portfolio"),
        ("--algos random --data gone.csv --target y", "gone.csv"),
    ],
)
def test_bad_input_is_one_line(
    cluster: Cluster, elsewhere: Path, capsys: pytest.CaptureFixture[str], options: str, part: str
) -> None:
    assert main(compare.app, options.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert part in error
    assert not list(Path().iterdir())
