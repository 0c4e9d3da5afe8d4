"""What ends a search from outside, and what remains for resuming it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sets.configs import LENET
from pipelines.cli.quick_models import _wait_for
from pipelines.cli.report import report_line
from pipelines.record.baselines import Baselines
from pipelines.record.events import Reported, read_events
from pipelines.record.files import RunFiles
from pipelines.record.journal import load_entries, load_journal
from pipelines.results.endings import unfinished
from pipelines.results.report import write_report
from pipelines.study.finish import finish
from pipelines.study.interrupts import Interrupted, interruptible, output_closed
from pipelines.study.repeats import run_repeats
from pipelines.study.runs import Run, open_run
from pipelines.tuner.ledger import ending
from tests.pipelines.recorded import write_run
from tests.pipelines.results.made import made
from tests.pipelines.running import Witness, study_of
from tests.pipelines.study.without_ray import (
    Curve,
    OneNode,
    Tuner,
    going_on,
    search,
    without_ray,
)

__all__ = ["without_ray"]


class Signalling(Curve):
    """A training that reports its epochs to a function."""

    def __init__(self, config: Any, last: int, comes: Callable[[int], None]) -> None:
        super().__init__(lambda config, epoch: float(config["x"]) + 1 / epoch, config, last)
        self.comes = comes

    def __next__(self) -> Any:
        self.comes(self.epoch + 1)
        return super().__next__()


def signals(at: int, number: signal.Signals = signal.SIGINT) -> Any:
    """A trainable whose first trial sends its own process a signal in an epoch."""
    waiting = [number]

    def comes(epoch: int) -> None:
        if epoch == at and waiting:
            os.kill(os.getpid(), waiting.pop())

    def trainable(config: Any, data: Any, *, max_epochs: int, **_: Any) -> Iterator[Any]:
        return Signalling(config, max_epochs, comes)

    return trainable


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGINT, "interrupt"),
        (signal.SIGTERM, "SIGTERM"),
        (signal.SIGHUP, "SIGHUP"),
    ],
)
def test_running_trials_are_saved_and_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, reason: str
) -> None:
    monkeypatch.setattr(Tuner, "slots", 2)
    asked = study_of(tmp_path / "run", signals(4, number), trials=2, max_epochs=9)
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    result = search(asked)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
    assert result.ended_by == reason
    assert [trial.stopped_by for trial in result.trials] == [reason] * 2
    assert {trial.epochs for trial in result.trials} <= {4, 5}
    more = going_on(study_of(tmp_path / "run", signals(-1), trials=2, max_epochs=9))
    assert more.resumed is not None
    assert all(trial.attempt.checkpoint for trial in more.resumed.search.unfinished)
    trials = search(more).trials
    assert [(trial.epochs, trial.resumed) for trial in trials] == [(9, 1)] * 2
    files = RunFiles(asked.folder)
    reported = [e for e in read_events(files.events) if isinstance(e, Reported)]
    assert sum(len(event.values) for event in reported) == 2 * 9  # no epoch is trained twice
    assert len(load_entries(files.journal)) == 4
    latest = load_journal(files.journal)
    assert [(t.trial_id, t.epochs) for t in latest] == [(t.trial_id, 9) for t in trials]
    assert len(open_run(asked.folder).study.trials) == 2


@pytest.mark.usefixtures("without_ray")
def test_an_epoch_that_takes_long_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "LAST_SAVE", -1.0)
    monkeypatch.setattr(Tuner, "slots", 2)
    result = search(study_of(tmp_path / "run", signals(4), trials=2, max_epochs=9))
    assert result.ended_by == "interrupt"
    assert [trial.epochs for trial in result.trials] == [4, 3]  # the second was in mid-epoch


@pytest.mark.usefixtures("without_ray")
def test_a_search_that_is_stopped_at_once_did_not_end_with_an_error(tmp_path: Path) -> None:
    def twice(config: Any, data: Any, *, max_epochs: int, **_: Any) -> Iterator[Any]:
        def comes(epoch: int) -> None:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

        return Signalling(config, max_epochs, comes)

    asked = study_of(tmp_path / "run", twice, trials=2, max_epochs=9)
    with pytest.raises(Interrupted):
        search(asked)
    run = open_run(asked.folder)
    assert [session.by for session in run.sessions] == ["interrupt"]
    assert unfinished(run).endswith("It was interrupted.")


@pytest.mark.usefixtures("without_ray")
def test_repeats_that_are_interrupted_say_so_and_keep_what_they_have(tmp_path: Path) -> None:
    asked = study_of(tmp_path / "run", signals(-1), trials=3, max_epochs=3, repeats=3)
    result = search(asked)
    finish(asked, result)
    cut = study_of(tmp_path / "run", signals(2), trials=3, max_epochs=3, repeats=3)
    repeats, ended_by = run_repeats(cut, result, OneNode(), Witness())
    assert (repeats, ended_by) == ([], "interrupt")
    assert open_run(asked.folder).files.winner.is_file()
    repeats, ended_by = run_repeats(going_on(asked), result, OneNode(), Witness())
    assert (len(repeats), ended_by) == (3, "")
    assert len(open_run(asked.folder).repeated) == 3 * 3


def test_the_first_asks_and_the_second_goes_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    asked: list[str] = []
    with interruptible(asked.append):
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked == ["SIGTERM"]
        with pytest.raises(Interrupted, match="interrupt"):
            os.kill(os.getpid(), signal.SIGINT)
    first, second = capfd.readouterr().out.splitlines()
    assert first.startswith("stopping  as soon as running trials are saved; once more")
    assert second == "stopping  at once"


def test_where_nothing_runs_a_signal_ends_the_command() -> None:
    with pytest.raises(Interrupted), interruptible():
        os.kill(os.getpid(), signal.SIGTERM)


def test_the_innermost_is_asked() -> None:
    asked: list[str] = []
    with interruptible(), interruptible(asked.append):
        os.kill(os.getpid(), signal.SIGINT)
    assert asked == ["interrupt"]


def test_who_ignores_the_end_of_the_terminal_goes_on_ignoring_it() -> None:
    """As with nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_output_that_nobody_reads_is_asked_about_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.study.interrupts._to_nowhere", lambda stream: None)
    asked: list[str] = []
    with interruptible(asked.append):
        output_closed()
    assert asked == ["closed output"]
    with pytest.raises(Interrupted):
        output_closed()


def ends_as_rays(number: signal.Signals) -> None:
    """Raises its own interrupt instead of the one that arrived."""
    with interruptible():
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None


def test_the_reason_is_not_lost_where_another_interrupt_takes_its_place() -> None:
    with pytest.raises(Interrupted, match="SIGTERM"):
        ends_as_rays(signal.SIGTERM)


class Slow:
    """Baselines that never end; the user does not want to wait for them."""

    works = True

    def __init__(self) -> None:
        self.interrupts = [signal.SIGINT]

    def result(self, patience: float) -> Baselines:
        if self.interrupts:
            os.kill(os.getpid(), self.interrupts.pop())
        return {"majority class": {"val_accuracy": 0.1}}


def test_the_first_ends_the_waiting_for_quick_models_and_no_more() -> None:
    enough = threading.Event()
    with interruptible(lambda reason: enough.set()):
        found, waited = _wait_for(Slow(), 60.0, enough)  # type: ignore[arg-type]
    assert found == {"majority class": {"val_accuracy": 0.1}}
    assert waited < 60


def test_the_first_lets_the_report_be_written(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(elsewhere / "it", [made([0.5], config=LENET)])

    def write(run: Run) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return write_report(run)

    monkeypatch.setattr("pipelines.results.report.write_report", write)
    with interruptible():
        assert report_line(folder) == "report    it/report.html"
    said = capfd.readouterr().out
    assert said == "stopping  as soon as the report is written; once more to stop at once\n"
