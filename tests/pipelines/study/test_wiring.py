"""The settings of a study reach its scheduler, its trials and its resumption."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pipelines.tuner.ledger.ledger as following
from pipelines.record.events import Saved, read_events
from pipelines.record.files import RunFiles
from pipelines.record.journal import load_journal
from pipelines.record.trials import FinishedTrial
from pipelines.study.prepare import network_of
from pipelines.study.study import Study
from pipelines.tuner.adapters.in_sequence import InSequence
from pipelines.tuner.kept import KeptStates
from search_spaces import Config, Float, SearchSpace
from tests.pipelines.running import data, spec_of, study_of
from tests.pipelines.study.without_ray import (
    Curve,
    going_on,
    search,
    search_until,
    without_ray,
)
from trainables.training.metrics import DIVERGED_LOSS

__all__ = ["without_ray"]

SPACE = SearchSpace({"x": Float(0.1, 1.0)})


def gets_better(config: Config, data: Any, *, max_epochs: int, **_: Any) -> Curve:
    return Curve(lambda config, epoch: config["x"] / epoch, config, max_epochs)


class Diverges(Curve):
    def __next__(self) -> Any:
        self.epoch += 1
        return {"val_rmse": math.nan}, None


def diverges(config: Config, data: Any, *, max_epochs: int, **_: Any) -> Curve:
    return Diverges(lambda config, epoch: math.nan, config, max_epochs)


def study(folder: Path, **more: Any) -> Study:
    return study_of(folder, gets_better, space=SPACE, **more)


@pytest.mark.usefixtures("without_ray")
def test_a_diverged_trial_scores_the_worst_in_the_units_of_the_target(tmp_path: Path) -> None:
    asked = study_of(tmp_path / "run", diverges, space=SPACE, metric="val_rmse", trials=2)
    asked = replace(asked, folds=(replace(data(), target_std=77.0),))
    trials = search(asked).trials
    assert len(trials) == 2
    assert all(trial.diverged for trial in trials)
    assert {trial.value for trial in trials} == {math.sqrt(DIVERGED_LOSS) * 77.0}


def test_the_scheduler_has_the_rules_of_the_settings(tmp_path: Path) -> None:
    settings = {"grace_period": 2, "reduction_factor": 4, "max_epochs": 50, "seed": 3}
    rules = study(tmp_path / "run", scheduler="asha", **settings).stopping
    assert {name: getattr(rules, name) for name in settings} == settings
    assert (rules.metric, rules.mode) == ("val_loss", "min")


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
def test_a_network_computes_in_the_precision_of_the_settings(precision: str) -> None:
    assert network_of(spec_of(precision=precision)).precision == precision


def test_the_cycles_of_a_network_end_at_the_rungs_of_the_settings() -> None:
    spec = spec_of(scheduler="aligned_asha", max_epochs=20, reduction_factor=4)
    assert network_of(spec).cycle_ends(20) == spec.rungs == (1, 4, 16, 20)
    assert network_of(spec).cycle_ends(5) == (1, 4, 5)  # a training that was planned for fewer
    assert network_of(spec.but(stopping={"scheduler": "asha"})).cycle_ends(20) == ()


@pytest.mark.usefixtures("without_ray")
def test_a_search_that_is_extended_is_planned_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The population of the genetic algorithm depends on the number of trials."""
    asked = study(tmp_path / "run", algo="genetic", trials=12)
    assert search_until(asked, monkeypatch, 20)
    longer = going_on(asked, trials=400)
    assert longer.problem.max_trials == 12
    assert longer.trials == 400


@pytest.mark.usefixtures("without_ray")
def test_a_checkpoint_is_on_record_before_the_next_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then Ray has deleted the checkpoint before."""
    monkeypatch.setattr(following, "SAVE_EVERY", 0.0)
    asked = study(tmp_path / "run", trials=2, max_epochs=4)
    saves, save = [], InSequence.on_trial_save

    def then_look(self: InSequence, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        save(self, iteration, trials, trial)
        events = read_events(RunFiles(asked.folder).events)
        last = [event.checkpoint for event in events if isinstance(event, Saved)][-1:]
        saves.append((trial.checkpoint.path, last))

    monkeypatch.setattr(InSequence, "on_trial_save", then_look)
    search(asked)
    assert len(saves) > 4
    for checkpoint, last in saves:
        assert [checkpoint.endswith(path) for path in last] == [True]


@pytest.mark.usefixtures("without_ray")
def test_a_state_is_dropped_when_the_better_trial_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a driver that is killed there goes on with neither."""
    asked = study(tmp_path / "run", trials=8, keep=1)
    kept: list[str] = []
    dropped: list[tuple[str, set[str]]] = []
    keep = KeptStates.keep

    def note(self: KeptStates, trial: FinishedTrial, checkpoint: Any) -> None:
        kept.append(trial.trial_id)
        keep(self, trial, checkpoint)

    def look(self: KeptStates, trial: FinishedTrial) -> None:
        recorded = {t.trial_id for t in load_journal(RunFiles(asked.folder).journal)}
        dropped.append((kept[-1], recorded))

    monkeypatch.setattr(KeptStates, "keep", note)
    monkeypatch.setattr(KeptStates, "drop", look)
    search(asked)
    assert dropped
    for better, recorded in dropped:
        assert better in recorded
