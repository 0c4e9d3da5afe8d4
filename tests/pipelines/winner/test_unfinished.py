"""Before the test set is read or a model is written, it is said that the search is not complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.sets.configs import LENET
from pipelines.cli import evaluate, export
from pipelines.cli.connection import Address
from pipelines.record.files import RunFiles
from pipelines.record.lock import holding
from pipelines.winner.settings import EvaluationSettings, ExportSettings
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made
from trainables.data.datasets import load

Said = Callable[[Path], str]
SO_FAR = "1 of at most 2 trials have ended"


class TrainingBegins(Exception):
    pass


def _train(*arguments: object) -> None:
    raise TrainingBegins


def _begin(command: str, folder: Path) -> None:
    if command == "evaluate":
        evaluate.run_evaluation(folder, EvaluationSettings(), Address())
    else:
        export.run_export(folder, Path("model"), ExportSettings(), Address())


@pytest.fixture(params=["evaluate", "export"])
def said(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    elsewhere: Path,
) -> Said:
    """A function that begins the command for a run, and returns what it says before it trains."""
    monkeypatch.setattr(evaluate, "_trained_again", _train)
    monkeypatch.setattr(export, "trained_alone", _train)

    def begin(folder: Path) -> str:
        with pytest.raises(TrainingBegins):
            _begin(request.param, folder)
        return capsys.readouterr().out

    return begin


def searched(ended: str | None) -> Path:
    return write_run(
        Path("it"),
        [made([0.5, 0.6], config=LENET)],
        data="wine",
        fingerprint=load("wine").fingerprint,
        trials=2,
        ended=ended,
    )


def test_an_interrupted_search_is_warned_of(said: Said) -> None:
    line = f"warning   The search is not complete: {SO_FAR}. It was interrupted.\n"
    assert said(searched("interrupt")) == line


def test_a_search_that_goes_on_is_warned_of(said: Said) -> None:
    folder = searched(None)
    with holding(RunFiles(folder)):
        assert said(folder) == f"warning   The search goes on: {SO_FAR}.\n"


def test_a_search_that_is_over_is_not_warned_of(said: Said) -> None:
    assert said(searched("")) == ""


def test_a_record_that_cannot_tell_is_not_warned_of(said: Said) -> None:
    folder = searched("interrupt")
    RunFiles(folder).sessions.unlink()
    assert said(folder) == ""
