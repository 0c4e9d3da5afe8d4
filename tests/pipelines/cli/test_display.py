"""What a search shows while nothing happens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from pipelines.cli import display
from pipelines.cli.display import Display
from pipelines.tuner.ledger.progress import Progress


class Lines(StringIO):
    """Sets an event when a line says that no trial reports."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if "no trial has ended an epoch" in text:
            self.silent.set()
        return written


def test_that_no_trial_reports_is_said_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_SILENT", 0.01)
    lines = Lines()
    with Display(Console(file=lines, width=1000), "val_loss") as shown:
        shown.progress(Progress(3, running=1, seconds=1.0))
        assert lines.silent.wait(60)
    assert lines.getvalue().count("--trial-timeout 10m") == 1


def test_a_trial_that_has_not_started_cannot_hang() -> None:
    with Display(Console(file=Lines()), "val_loss") as shown:
        assert not shown._silence.is_alive()
        shown.progress(Progress(3, running=1, seconds=1.0))
        assert shown._silence.is_alive()


def test_after_the_first_epoch_it_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines()
    with Display(Console(file=lines, width=1000), "val_loss") as shown:
        shown.progress(Progress(3, running=1, best=0.5, seconds=1.0))
        assert shown._silence.finished.is_set()


def test_that_the_search_ends_soon_is_told_once() -> None:
    told: list[str] = []
    console = Console(file=StringIO())
    with Display(console, "val_loss", None, lambda: told.append("begun"), told_ending(told)) as it:
        it.progress(Progress(4, running=2, best=0.5, seconds=1.0))
        it.progress(Progress(4, finished=1, running=2, best=0.5, seconds=2.0))
        assert told == ["begun"]
        it.progress(Progress(4, finished=2, running=2, best=0.5, seconds=3.0))
        it.progress(Progress(4, finished=3, running=1, best=0.5, seconds=4.0))
    assert told == ["begun", "ending"]


def told_ending(told: list[str]) -> Callable[[], None]:
    return lambda: told.append("ending")


@pytest.mark.parametrize(("seconds", "soon"), [(50.0, False), (58.5, True), (61.0, True)])
def test_a_time_budget_that_is_nearly_used_up_ends_the_search_soon(
    seconds: float, soon: bool
) -> None:
    progress = Progress(1000, finished=5, running=2, seconds=seconds, time_budget=60.0)
    assert progress.ends_soon == soon
