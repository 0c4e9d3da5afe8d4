"""What a search shows while nothing happens."""

from __future__ import annotations

import threading
from io import StringIO

import pytest
from rich.console import Console

from pipelines.cli import display
from pipelines.cli.display import Display
from pipelines.tuner.progress import Progress


class Lines(StringIO):
    """Tells when it is said that no trial reports."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = threading.Event()

    def write(self, text: str) -> int:
        if "no trial has ended an epoch" in text:
            self.silent.set()
        return super().write(text)


def test_that_no_trial_reports_is_said_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_SILENT", 0.01)
    lines = Lines()
    with Display(Console(file=lines, width=1000), "val_loss"):
        assert lines.silent.wait(60)
    assert lines.getvalue().count("--trial-timeout 10m") == 1


def test_after_the_first_epoch_it_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines()
    with Display(Console(file=lines, width=1000), "val_loss") as shown:
        shown.progress(Progress(3, running=1, best=0.5, seconds=1.0))
        assert shown._silence.finished.is_set()
