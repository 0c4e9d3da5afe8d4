"""The report of a run in a folder that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import report
from pipelines.cli.command import USAGE, main
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


def test_several_runs_are_compared_in_their_own_page(elsewhere: Path) -> None:
    runs = [str(write_run(Path(name), searched(20), max_epochs=3)) for name in ("a", "b")]
    assert main(report.app, runs) == 0
    assert Path("comparison.html").exists()
