"""How many epochs a trial reports at once. No other process runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pipelines.tuner.attempts import Attempt, pack
from pipelines.tuner.trial_settings import TrialSettings, batch_seconds
from pipelines.tuner.worker import trial as trial_module
from pipelines.tuner.worker.trial import StudyTrial
from tests.pipelines.running import data
from tests.pipelines.tuner.test_failing import alone

__all__ = ["alone"]

EPOCH_SECONDS = 0.25


class Clock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def reported_at_once(monkeypatch: pytest.MonkeyPatch, slots: int) -> int:
    """The epochs of a trial's first step, while ``slots`` trials run at once."""
    clock = Clock()
    monkeypatch.setattr(trial_module, "time", clock)

    def train(*_: Any, **__: Any) -> Any:
        model = torch.nn.Linear(1, 1)
        while True:
            clock.now += EPOCH_SECONDS
            yield {"val_loss": 1.0}, model

    settings = TrialSettings(
        train,
        "val_loss",
        1000,
        1.0,
        "/runs",
        "key",
        decides=lambda config, epoch: False,
        batch_seconds=batch_seconds(slots),
    )
    trial = StudyTrial.__new__(StudyTrial)
    trial.setup(pack({"x": 0.5}, Attempt("a")), settings, data())
    return len(trial.step()["reports"])


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("slots", "seconds"), [(1, 0.5), (64, 0.5), (256, 2.0), (1024, 8.0)])
def test_many_trials_at_once_report_less_often(
    monkeypatch: pytest.MonkeyPatch, slots: int, seconds: float
) -> None:
    assert reported_at_once(monkeypatch, slots) == seconds / EPOCH_SECONDS
