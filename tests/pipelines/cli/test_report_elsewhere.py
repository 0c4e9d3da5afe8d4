"""The report of a run in a folder that cannot be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import report
from pipelines.cli.command import USAGE, main
from pipelines.study.interrupts import EXIT_CODES, OUTPUT
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import searched


def test_the_page_of_a_run_that_cannot_be_written_may_lie_elsewhere(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(Path("it"), searched(20), max_epochs=3)
    (folder / "trials.csv").unlink(missing_ok=True)
    (folder / "trials.csv").mkdir()  # in the way: a tester may write anywhere
    assert main(report.app, ["it"]) == USAGE
    said = "it/trials.csv cannot be written: Is a directory: --output FILE writes the page alone"
    assert capsys.readouterr().err == f"error: {said}\n"
    assert main(report.app, ["it", "--output", "page.html"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "report    page.html"
    assert "plotly" in Path("page.html").read_text()
    assert not (folder / "report.html").exists()
    assert main(report.app, ["it", "--output", "it"]) == USAGE
    assert capsys.readouterr().out == ""  # the error is all there is to read


def test_who_reads_one_line_gets_the_files_too(elsewhere: Path) -> None:
    folder = write_run(Path("it"), searched(20), max_epochs=3)
    command = [sys.executable, str(Path(report.__file__)), "it"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("run       mlp ")
        process.stdout.close()
        assert process.wait(timeout=60) in (0, EXIT_CODES[OUTPUT])
    assert (folder / "trials.csv").is_file()
    assert (folder / "report.html").is_file()


def test_what_was_written_before_an_error_is_said(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(Path("it"), searched(20), max_epochs=3, trainable="mine:train")
    assert main(report.app, ["it", "--plot-schedule"]) == USAGE
    out, err = capsys.readouterr()
    first, *_, table, page = out.splitlines()
    assert first.startswith("run       ")
    assert (table, page) == ("table     it/trials.csv", "report    it/report.html")
    assert "whose schedule is not known" in err


def test_several_runs_are_compared_in_their_own_page(elsewhere: Path) -> None:
    runs = [str(write_run(Path(name), searched(20), max_epochs=3)) for name in ("a", "b")]
    assert main(report.app, runs) == 0
    assert Path("comparison.html").exists()


@pytest.mark.parametrize("option", [["--top", "10"], ["--plot-schedule"]])
def test_an_option_of_one_run_is_refused_for_several(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    runs = [str(write_run(Path(name), searched(20), max_epochs=3)) for name in ("a", "b")]
    assert main(report.app, [*runs, *option]) == USAGE
    said = f"{option[0]} is for one run, not for a comparison of several"
    assert capsys.readouterr().err == f"error: {said}\n"
    assert not Path("comparison.html").exists()
