"""A trial that is trained again is the same to the last digit, or the difference is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.sets.configs import STEPPED
from pipelines import replay
from pipelines.cli.command import main
from pipelines.record.files import RunFiles
from pipelines.record.sessions import working
from pipelines.record.trials import FinishedTrial, State
from pipelines.study.circumstances import machine, versions
from pipelines.tuner.attempts import Attempt
from pipelines.tuner.ledger.ledger import TrialLedger
from pipelines.tuner.ledger.reports import Report, Rules
from search_spaces import SPACES, Float
from tests.pipelines.recorded import write_run
from trainables.data.datasets import load, load_folds
from trainables.networks import NETWORKS
from trainables.training.cross_validation import CrossValidated

pytestmark = pytest.mark.usefixtures("elsewhere")

CONFIG = {**STEPPED, "width_1": 12, "width_2": 12, "width_3": 8}


def trained(metric: str, epochs: int, data: Any, trainable: Any, **config: Any) -> FinishedTrial:
    """A trial as a search records it."""
    torch.set_num_threads(1)
    ledger = TrialLedger(Rules(metric, trials=1))
    ledger.start(Attempt("a", seed=4), {**CONFIG, **config})
    training = trainable(
        {**CONFIG, **config}, data, max_epochs=9, seed=4, device=torch.device("cpu")
    )
    for epoch, (metrics, _) in zip(range(1, epochs + 1), training, strict=False):
        numbers = {k: float(v) for k, v in metrics.items() if k not in ("epoch", "diverged")}
        ledger.report("a", Report(epoch, numbers[metric], numbers, bool(metrics["diverged"])))
    return ledger.end("a").trial


def recorded(trial: FinishedTrial, data: str = "wine", **settings: Any) -> str:
    fingerprint = load(data).fingerprint
    folder = Path("runs/it")
    space = SPACES["mlp"].replace({"lr": Float(1e-4, 1e7, log=True)})
    settings = {"data": data, "max_epochs": 9, **settings}
    write_run(folder, [trial], space=space, fingerprint=fingerprint, **settings)
    return str(folder)


@pytest.mark.parametrize("lr", [0.1, 1e6])
def test_each_number_of_each_epoch_is_the_same(
    capsys: pytest.CaptureFixture[str], lr: float
) -> None:
    trial = trained("val_accuracy", 5, load("wine"), NETWORKS["mlp"], lr=lr, batch_norm=False)
    assert trial.diverged == (lr > 1)
    assert main(replay.app, [recorded(trial), "0"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line.startswith("epoch")] == [
        f"epoch {epoch:<4}val_accuracy {value!r}: the same" for epoch, value in trial.curve.items()
    ]
    assert shown[-1].startswith(f"replayed  {trial.epochs} epochs: all ")


def test_folds_of_a_regression_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    folds = load_folds("diabetes", 2)
    trial = trained("val_rmse", 3, folds, CrossValidated(NETWORKS["mlp"]))
    folder = recorded(trial, "diabetes", metric="val_rmse", folds=2)
    assert main(replay.app, [folder, trial.trial_id]) == 0
    assert "replayed  3 epochs: all" in capsys.readouterr().out


def test_what_differs_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    trial = trained("val_accuracy", 3, load("wine"), NETWORKS["mlp"])
    losses = (*trial.curves["val_loss"][:2], 0.5)
    folder = recorded(replace(trial, curves={**trial.curves, "val_loss": losses}))
    spec = Path(folder, "spec.json")
    content = json.loads(spec.read_text())
    content["prepared"] |= {
        "versions": {**versions(), "torch": "1.0"},
        "machine": {**machine(), "cores": "96"},
    }
    spec.write_text(json.dumps(content))
    assert main(replay.app, [folder, "0"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert "val_loss: 0.5 recorded" in next(line for line in shown if "recorded," in line)
    assert sum("the same" in line for line in shown) == 2
    changed = [line for line in shown if line.startswith("changed")]
    assert changed == [
        f"changed   torch 1.0 then, {versions()['torch']} now",
        f"changed   cores 96 then, {machine()['cores']} now",
    ]


@pytest.mark.parametrize(
    ("more", "name", "rule"),
    [
        ({}, "7", "the trials 0 to 0"),
        ({"changes": {2: CONFIG}}, "0", "trial` 0 of runs/it took over weights of another trial"),
        ({"curve": {}, "state": State.FAIL}, "0", "trial` 0 of runs/it has reported no epoch"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    capsys: pytest.CaptureFixture[str], more: dict[str, Any], name: str, rule: str
) -> None:
    values = {"config": CONFIG, "state": State.COMPLETE, "curve": {1: 0.5}, "value": 0.5, **more}
    folder = recorded(FinishedTrial("a", best_epoch=1, **values))
    assert main(replay.app, [folder, name]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert rule in shown.err


@pytest.mark.parametrize(
    ("own", "rule"),
    [
        ("__main__:train", "only one that can be imported, MODULE:NAME, can be replayed"),
        ("no_such_module:train", "'no_such_module:train' cannot be imported"),
    ],
)
def test_a_function_that_cannot_be_found_is_said_first(
    capsys: pytest.CaptureFixture[str], own: str, rule: str
) -> None:
    trial = FinishedTrial("a", CONFIG, State.COMPLETE, {1: 0.5}, 0.5, 1)
    assert main(replay.app, [recorded(trial, trainable=own), "0"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert rule in shown.err


def with_longer(folder: str, epochs: int) -> str:
    """The run in ``folder`` after it was resumed with trials of this many epochs."""
    with working(RunFiles(Path(folder)), "search", {"budget": {"max_epochs": epochs}}) as session:
        session.by = ""
    return folder


def test_a_trial_is_replayed_with_the_length_that_it_had_planned(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trial = trained("val_accuracy", 8, load("wine"), NETWORKS["mlp"])
    assert main(replay.app, [with_longer(recorded(trial), 30), "0"]) == 0
    assert "replayed  8 epochs: all" in capsys.readouterr().out


def test_cycles_end_at_the_rungs_of_the_length_that_was_planned(
    capsys: pytest.CaptureFixture[str],
) -> None:
    network = replace(NETWORKS["mlp"], cycle_ends=lambda max_epochs: (1, 3, max_epochs))
    trial = trained("val_accuracy", 8, load("wine"), network, policy="one_cycle")
    folder = recorded(trial, scheduler="aligned_asha", reduction_factor=3)
    assert main(replay.app, [with_longer(folder, 30), "0"]) == 0
    assert "replayed  8 epochs: all" in capsys.readouterr().out


def test_a_length_that_changed_on_the_way_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    trial = trained("val_accuracy", 8, load("wine"), NETWORKS["mlp"])
    folder = with_longer(recorded(replace(trial, planned={1: 9, 4: 30})), 30)
    assert main(replay.app, [folder, "0"]) == 1
    told = "its planned number of epochs changed on the way: 9 from epoch 1 on, 30 from epoch 4"
    assert f"changed   {told}" in capsys.readouterr().out
