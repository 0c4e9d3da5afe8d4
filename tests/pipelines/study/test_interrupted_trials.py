"""Trials that are paused, moved, changed or killed go on: no epoch is trained again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import pipelines.study.wiring as wiring
import pipelines.tuner.ledger.ledger as following
from pipelines.cluster import notice
from pipelines.cluster.machines import Cluster
from pipelines.record.files import RunFiles
from pipelines.record.journal import load_journal
from pipelines.record.trials import State
from pipelines.tuner.attempts import Cause
from pipelines.tuner.trial_settings import BATCH_SECONDS
from search_spaces import Float, SearchSpace
from tests.pipelines.running import Witness, study
from trainables.data.datasets import TrialData

RATES = SearchSpace({"lr": Float(0.1, 1.0)})


class Counting(Iterator[Any]):
    """Counts the epochs of a trial in a weight of its model, in whatever process it trains."""

    def __init__(self, config: dict[str, Any], ends_at: Callable[[int], None]) -> None:
        self.config = config
        self.model = torch.nn.Linear(1, 1)
        torch.nn.init.zeros_(self.model.weight)
        self.steps_here = 0
        self.ends_at = ends_at

    def __next__(self) -> Any:
        self.steps_here += 1
        with torch.no_grad():
            self.model.weight += 1
        epochs = int(self.model.weight.item())
        self.ends_at(epochs)
        loss = (self.config.get("lr") or self.config["x"]) / epochs
        metrics = {"val_loss": loss, "epochs": epochs, "here": self.steps_here}
        return {**metrics, "process": os.getpid()}, self.model

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])


def counts(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    return Counting(config, lambda epoch: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_hyperband_pauses_trials_and_they_go_on(cluster: Cluster, folder: Path) -> None:
    summary = study(cluster, folder, counts, scheduler="hyperband", trials=14, max_epochs=9)
    assert len(load_journal(RunFiles(folder).journal)) == 14
    assert {t.state for t in summary.trials} == {State.COMPLETE, State.PRUNED}
    for trial in summary.trials:
        assert list(trial.curve) == list(range(1, trial.epochs + 1))
        assert trial.metrics["epochs"] == trial.best_epoch  # none was trained twice
    paused = [t for t in summary.trials if t.metrics["here"] < t.metrics["epochs"]]
    assert paused
    assert summary.best is not None
    assert summary.best.value == min(t.value or 9.0 for t in summary.trials)
    weights = torch.load(folder / "best.pt", weights_only=True)
    assert weights["weight"].item() == summary.best.best_epoch


def test_a_population_takes_over_what_is_better(cluster: Cluster, folder: Path) -> None:
    summary = study(cluster, folder, counts, space=RATES, scheduler="pbt", trials=8, max_epochs=10)
    trials = load_journal(RunFiles(folder).journal)
    assert len(trials) == 8
    changed = [t for t in trials if t.changes]
    assert changed
    for trial in changed:
        assert trial.config == list(trial.changes.values())[-1]
        assert RATES.contains(trial.config)
        assert trial.epochs == 10
    assert summary.best is not None
    weights = torch.load(folder / "best.pt", weights_only=True)
    assert weights["weight"].item() == summary.best.best_epoch


def dies_once(marker: Path) -> Callable[..., Iterator[Any]]:
    """A trainable whose process dies in the fourth epoch of one trial, after it reported three."""

    def die(epoch: int) -> None:
        time.sleep(BATCH_SECONDS)
        if epoch == 4:
            with suppress(FileExistsError):
                os.open(marker, os.O_CREAT | os.O_EXCL)  # only one of several processes succeeds
                os._exit(1)

    def trainable(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
        return Counting(config, die)

    return trainable


@pytest.fixture
def saves_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SAVE_EVERY", 0.0)


@pytest.mark.usefixtures("saves_always")
def test_a_trial_whose_process_died_goes_on_from_its_checkpoint(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    witness = Witness()
    trainable = dies_once(tmp_path / "died")
    trials = study(cluster, folder, trainable, witness, trials=3, max_epochs=6).trials
    assert witness.again == [(Cause.DIED, 3)]
    read = load_journal(RunFiles(folder).journal)
    assert sorted((t.processes_lost, t.failures) for t in read) == [(0, 0), (0, 0), (1, 0)]
    assert {(t.state, t.epochs, t.metrics["epochs"]) for t in trials} == {(State.COMPLETE, 6, 6)}
    died = next(t for t in trials if t.processes_lost)
    assert died.metrics["here"] == 3  # epochs 4 to 6
    assert len(trials) == 3


@pytest.fixture
def no_notice() -> Iterator[None]:
    """Whatever is given is taken back."""
    yield
    notice.take_back()


@pytest.mark.usefixtures("no_notice")
def test_a_trial_saves_at_once_where_its_machine_is_about_to_go(
    cluster: Cluster, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SAVE_EVERY_LEAVING", 0.0)
    died = tmp_path / "died"

    def ends_at(epoch: int) -> None:
        if epoch == 3 and not died.exists():
            notice.give("test")
        if epoch == 4 and not died.exists():
            died.touch()
            os._exit(1)

    def trainable(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
        return Counting(config, ends_at)

    witness = Witness()
    study(cluster, folder, trainable, witness, trials=1, max_epochs=6)
    assert witness.again == [(Cause.DIED, 3)]


@pytest.mark.usefixtures("no_notice")
def test_no_process_on_a_machine_that_is_about_to_go_gets_another_trial(
    cluster: Cluster, folder: Path
) -> None:
    notice.give("test")
    witness = Witness()
    trials = study(
        cluster, folder, counts, witness, trials=2, max_epochs=2, max_concurrent=1
    ).trials
    assert witness.again == [(Cause.LEAVING, 0)]
    assert [(t.state, t.epochs, t.failures) for t in trials] == [(State.COMPLETE, 2, 0)] * 2
    assert len({t.metrics["process"] for t in trials}) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("saves_always")
def test_a_lost_machine_is_not_counted_as_a_failure(
    cluster: Cluster, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "is_alive", lambda node: False)
    witness = Witness()
    trials = study(
        cluster, folder, dies_once(tmp_path / "died"), witness, trials=3, max_epochs=6
    ).trials
    assert witness.again == [(Cause.LOST, 3)]
    assert sorted((t.machines_lost, t.failures) for t in trials) == [(0, 0), (0, 0), (1, 0)]
    assert {t.state for t in trials} == {State.COMPLETE}


def always_dies(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    os._exit(3)
    yield


@pytest.mark.slow
def test_a_trial_whose_process_always_dies_fails(cluster: Cluster, folder: Path) -> None:
    witness = Witness()
    (trial,) = study(cluster, folder, always_dies, witness, trials=1, max_failures=9).trials
    assert trial.state is State.FAIL
    assert trial.error == Cause.DIED.value
    assert witness.again == [(Cause.DIED, 0)] * 3
