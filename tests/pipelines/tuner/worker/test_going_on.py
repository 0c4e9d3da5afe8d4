"""A trial that is resumed from its checkpoint keeps its results. No other process runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.tuner.attempts import Attempt, AttemptError, Cause, pack
from pipelines.tuner.trial_settings import TrialSettings
from pipelines.tuner.worker.trial import TRAINING, WEIGHTS, StudyTrial
from tests.pipelines.running import data
from tests.pipelines.tuner.test_failing import alone

__all__ = ["alone"]

BEST, INTERRUPTED, LAST = 3, 5, 7  # epochs


class GetsBetterThenWorse(Iterator[Any]):
    """A training whose model has the epoch as its weight."""

    def __init__(self) -> None:
        self.model, self.epoch = torch.nn.Linear(1, 1), 0

    def __next__(self) -> Any:
        self.epoch += 1
        torch.nn.init.constant_(self.model.weight, self.epoch)
        loss = 1.0 + abs(self.epoch - BEST)
        return {"val_loss": loss, "val_accuracy": 0.9}, self.model

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]


def started(attempt: Attempt, x: float = 0.5, metric: str = "val_loss") -> StudyTrial:
    settings = TrialSettings(
        lambda *_, **__: GetsBetterThenWorse(),
        metric,
        LAST,
        1.0,
        "/runs",
        "key",
        decides=lambda config, epoch: epoch == INTERRUPTED,
    )
    trial = StudyTrial.__new__(StudyTrial)
    trial.setup(pack({"x": x}, attempt), settings, data())
    return trial


def kept_weight(trial: StudyTrial, folder: Path) -> float:
    folder.mkdir()
    trial.save_checkpoint(str(folder))
    return float(torch.load(folder / WEIGHTS, weights_only=True)["weight"].item())


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy"])
def test_the_best_weights_from_before_are_still_the_best(tmp_path: Path, metric: str) -> None:
    interrupted = started(Attempt("a"), metric=metric)
    interrupted.step()
    assert kept_weight(interrupted, tmp_path / "first") == BEST
    resumed = started(Attempt("a", checkpoint=str(tmp_path / "first")), metric=metric)
    assert kept_weight(resumed, tmp_path / "at once") == BEST
    (*_, last) = resumed.step()["reports"]
    assert last.epoch == LAST
    assert kept_weight(resumed, tmp_path / "second") == BEST


@pytest.mark.usefixtures("alone")
def test_a_checkpoint_of_an_earlier_version_has_the_best_value_alone(tmp_path: Path) -> None:
    interrupted = started(Attempt("a"))
    interrupted.step()
    kept_weight(interrupted, tmp_path / "first")
    path = tmp_path / "first" / TRAINING
    torch.save({**torch.load(path, weights_only=True), "best": 1.0}, path)
    resumed = started(Attempt("a", checkpoint=str(path.parent)))
    resumed.step()
    assert kept_weight(resumed, tmp_path / "second") == BEST


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("file", [WEIGHTS, TRAINING])
@pytest.mark.parametrize("left", [None, 0, 700])
def test_a_checkpoint_that_a_power_cut_has_damaged_is_said(
    tmp_path: Path, file: str, left: int | None
) -> None:
    interrupted = started(Attempt("a"))
    interrupted.step()
    kept_weight(interrupted, tmp_path / "first")
    damaged = tmp_path / "first" / file
    if left is None:
        damaged.unlink()
    else:
        damaged.write_bytes(damaged.read_bytes()[:left])
    resumed = started(Attempt("a", checkpoint=str(tmp_path / "first")))
    with pytest.raises(AttemptError) as raised:
        resumed.step()
    assert raised.value.cause is Cause.DAMAGED


@pytest.mark.usefixtures("alone")
def test_another_trials_best_weights_are_not_taken_over(tmp_path: Path) -> None:
    interrupted = started(Attempt("a"))
    interrupted.step()
    kept_weight(interrupted, tmp_path / "first")
    other = started(Attempt("b", checkpoint=str(tmp_path / "first")), x=0.6)
    other.step()
    assert kept_weight(other, tmp_path / "second") == INTERRUPTED + 1
