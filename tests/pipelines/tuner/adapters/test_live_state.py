"""What the driver writes for pages, how often, and how long it takes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.record.files import RunFiles
from pipelines.record.live import Live, read_live, remove_live
from pipelines.record.trials import State
from pipelines.tuner.adapters import live
from pipelines.tuner.attempts import Attempt
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.reports import Report, Rules


class Searcher:
    suggestion_seconds = 0.25
    slots = 3


class Written:
    """A search with its own clock, and the state that it writes."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.files = RunFiles(folder)
        self.ledger = TrialLedger(Rules("val_accuracy", trials=9), self.clock)
        self.state = live.LiveState(self.files, self.ledger, Searcher(), "search", self.clock)

    def clock(self) -> float:
        return self.now

    def start(self, trial_id: str) -> None:
        self.ledger.start(Attempt(trial_id), {"lr": 0.1})

    def report(self, trial_id: str, epoch: int, value: float) -> None:
        self.ledger.report(trial_id, Report(epoch, value, {"val_accuracy": value}))

    def step(self, seconds: float = 0.0, paused: int = 0) -> Live:
        self.now += seconds
        self.state.step(paused)
        found = read_live(self.files)
        assert found is not None
        return found


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def test_running_trials_are_shown_as_far_as_they_are(written: Written) -> None:
    written.start("a")
    written.report("a", 1, 0.5)
    written.start("b")
    found = written.step()
    a, b = found.trials
    assert (a.trial_id, a.state, a.curve, a.value) == ("a", State.RUNNING, {1: 0.5}, 0.5)
    assert (b.trial_id, b.curve, b.value) == ("b", {}, None)
    assert (found.best, found.best_epoch, found.best_config) == (0.5, 1, {"lr": 0.1})
    assert (found.running, found.finished, found.total, found.slots) == (2, 0, 9, 3)
    assert found.suggestion_seconds == 0.25
    written.ledger.end("a")
    found = written.step(2.0)
    assert [trial.trial_id for trial in found.trials] == ["b"]
    assert (found.running, found.finished, found.epochs) == (1, 1, 1)


def test_paused_trials_do_not_run(written: Written) -> None:
    for trial_id in "abc":
        written.start(trial_id)
    found = written.step(paused=2)
    assert (found.running, found.paused, len(found.trials)) == (1, 2, 3)


def test_it_is_written_once_a_second_whether_something_happens_or_not(written: Written) -> None:
    first = written.step().at
    written.start("a")
    assert written.step(0.9).at == first
    assert written.step(0.2).running == 1
    assert written.step(1.0).at > first


def test_the_pace_is_that_of_late(written: Written) -> None:
    written.start("a")
    assert written.step().epochs_per_second is None
    for epoch in range(1, 101):  # two epochs per second, then none
        written.report("a", epoch, 0.5)
        found = written.step(0.5)
    assert found.epochs_per_second == pytest.approx(2.0, rel=0.05)
    for _ in range(40):
        found = written.step(1.0)
    assert found.epochs_per_second == 0.0


def test_a_slow_disk_gets_less_to_write(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    times = []

    def slow(*_: object) -> None:
        times.append(written.now)
        written.now += 0.5

    monkeypatch.setattr(live, "write_live", slow)
    while written.now < 1000:
        written.state.step()
        written.now += 0.1
    assert len(times) == pytest.approx(1000 / (0.5 * live.REST), abs=1)
    assert written.state.spent < 0.02 * written.now


def test_the_gauges_of_a_search_on_a_slow_disk_stay(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = []

    def slow(*_: object) -> None:
        written.now += 5.0

    monkeypatch.setattr(live, "write_live", slow)
    written.state = live.LiveState(
        written.files,
        written.ledger,
        Searcher(),
        "search",
        written.clock,
        also=lambda _: times.append(written.now),
    )
    while written.now < 1000:
        written.state.step()
        written.now += 0.1
    assert max(later - sooner for sooner, later in pairwise(times)) < 20  # Ray drops them then


def test_a_full_disk_ends_no_search(written: Written) -> None:
    written.files.live.mkdir()  # in the way
    written.state.step()
    assert list(written.files.folder.iterdir()) == [written.files.live]
    assert written.files.live.is_dir()


def test_nothing_is_left_when_the_search_has_ended(written: Written) -> None:
    written.step()
    remove_live(written.files)
    remove_live(written.files)
    assert list(written.files.folder.iterdir()) == []
