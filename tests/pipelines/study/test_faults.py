"""What a trainable may do to its trial and its process, and how other trials are protected."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import trainables.device.leftovers as leaving
from pipelines.cluster.machines import Cluster
from pipelines.record.files import RunFiles
from pipelines.record.trials import State
from pipelines.tuner.attempts import Cause
from pipelines.tuner.ledger.progress import Incumbent
from search_spaces import Int, SearchSpace
from tests.pipelines.running import Witness, study
from trainables.data.datasets import TrialData


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def trained_in_float64() -> None:
    torch.set_default_dtype(torch.float64)


def a_thread_that_spins() -> None:
    def spin() -> None:
        while True:
            pass

    threading.Thread(target=spin, daemon=True).start()


SABOTAGE = {sabotage.__name__: sabotage for sabotage in (trained_in_float64, a_thread_that_spins)}


def sabotages_the_first_time(marker: Path, name: str) -> Any:
    def trainable(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
        """An ordinary training that draws random numbers without seeding them."""
        model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(3):
            hidden = torch.nn.functional.relu(model[0](torch.randn(16, 8)))
            loss = model[1](hidden).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if epoch == 2 and not marker.exists():
                marker.touch()
                SABOTAGE[name]()
            yield {"val_loss": loss.item(), "process": os.getpid()}, None

    return trainable


@pytest.mark.parametrize(
    "name",
    ["trained_in_float64", pytest.param("a_thread_that_spins", marks=pytest.mark.slow)],
)
def test_a_trial_after_a_saboteur_is_as_in_a_fresh_process(
    cluster: Cluster, folder: Path, tmp_path: Path, name: str
) -> None:
    witness = Witness()
    trainable = sabotages_the_first_time(tmp_path / "done", name)
    first, second = study(
        cluster, folder, trainable, witness, trials=2, max_concurrent=1, cpus_per_trial=2
    ).trials
    assert second.curve == first.curve  # to the last digit
    restored = name == "trained_in_float64"
    assert witness.again == ([] if restored else [(Cause.SPOILED, 0)]), witness.why
    assert (second.metrics["process"] == first.metrics["process"]) == restored
    assert (second.failures, second.processes_lost) == (0, 0)


def grows(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    most = leaving.Memory(1 / (os.cpu_count() or 1))._most
    more = bytearray(os.urandom(2**20) * int(0.4 * most / 2**20))
    leaving.kept = [*getattr(leaving, "kept", []), more]  # type: ignore[attr-defined]
    yield {"val_loss": config["x"], "process": os.getpid(), "more": len(more)}, None


@pytest.mark.slow
def test_a_process_that_has_grown_too_large_is_replaced(cluster: Cluster, folder: Path) -> None:
    witness = Witness()
    trials = study(cluster, folder, grows, witness, trials=4, max_concurrent=1).trials
    processes = [t.metrics["process"] for t in trials]
    assert processes[0] == processes[1] == processes[2] != processes[3]
    assert witness.again == [(Cause.SPOILED, 0)]
    ((grown, unit),) = re.findall(r"its memory had grown by (\S+) (\S+)", witness.why[0])
    of_one = float(grown) * {"MB": 1e6, "GB": 1e9}[unit] / trials[0].metrics["more"]
    assert 2.97 < of_one < 3.3


class OwnError(Exception):
    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what} number {number}")


def raise_its_own() -> None:
    raise OwnError("broken", 7)


def leave() -> None:
    sys.exit(4)


def say_a_megabyte() -> None:
    raise ValueError("x" * 2**20)


def fails_in_each_way(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    print(f"n is {config['n']}")
    (raise_its_own, leave, say_a_megabyte)[int(config["n"])]()
    yield


def test_what_a_trainable_raises_is_a_line_and_its_own_traceback(
    cluster: Cluster, folder: Path
) -> None:
    ways = SearchSpace({"n": Int(0, 2)})
    trials = study(cluster, folder, fails_in_each_way, space=ways, algo="grid", trials=3).trials
    assert {t.state for t in trials} == {State.FAIL}
    errors = {t.config["n"]: t.error for t in trials}
    assert errors[0].startswith("OwnError: broken number 7 (test_faults.py, line ")
    assert errors[1].startswith("SystemExit: 4 (test_faults.py, line ")
    assert errors[2].startswith("ValueError: xxx")
    assert max(map(len, errors.values())) < 400
    texts = [path.read_text() for path in RunFiles(folder).errors.iterdir()]
    assert max(map(len, texts)) < 25_000
    for text in texts:
        assert text.splitlines()[1].endswith("in fails_in_each_way")  # its frame comes first
        assert re.search(r"\n\nIt had printed:\nn is \d\n$", text)


def hangs_above_half(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    while config["x"] > 0.5:
        time.sleep(0.1)
    yield {"val_loss": config["x"]}, None


def test_a_trial_that_hangs_is_ended(cluster: Cluster, folder: Path) -> None:
    trials = study(cluster, folder, hangs_above_half, trials=4, seed=1, trial_timeout="2s").trials
    assert len(trials) == 4
    failed = {t.state is State.FAIL for t in trials if t.config["x"] > 0.5}  # type: ignore[operator]
    assert failed == {True}
    assert {t.error for t in trials if t.state is State.FAIL} == {Cause.HUNG.value}
    assert any(t.state is State.COMPLETE for t in trials)


def yields_slowly(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    for _epoch in range(4):
        time.sleep(0.5)
        yield {"val_loss": config["x"]}, None


class Sleeping(Witness):
    """Stops the driver for a while, as Ctrl-Z does, or a disk that is full."""

    def new_best(self, incumbent: Incumbent) -> None:
        if not self.bests:
            time.sleep(6)
        super().new_best(incumbent)


@pytest.mark.slow
def test_no_trial_is_ended_because_its_driver_was_stopped(cluster: Cluster, folder: Path) -> None:
    trials = study(
        cluster, folder, yields_slowly, Sleeping(), trials=2, max_epochs=4, trial_timeout="3s"
    ).trials
    assert [(t.state, t.epochs) for t in trials] == [(State.COMPLETE, 4)] * 2


def never_ends(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    while True:
        yield {"val_loss": config["x"], "epoch": 0}, None


def test_a_trainable_without_end_trains_for_as_long_as_it_may(
    cluster: Cluster, folder: Path
) -> None:
    trials = study(cluster, folder, never_ends, trials=2, max_epochs=5).trials
    assert [sorted(t.curve) for t in trials] == [[1, 2, 3, 4, 5]] * 2
