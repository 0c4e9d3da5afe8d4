"""How a study treats its trials, on real workers, with trainables made for these tests."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.cluster.machines import Cluster
from pipelines.record.files import RunFiles
from pipelines.record.journal import load_journal
from pipelines.record.trials import State
from pipelines.study.prepare import prepare
from pipelines.study.run_study import run_study
from tests.pipelines.running import SPACE, Witness, spec_of, study
from trainables.data.datasets import TrialData, load_test
from trainables.training.metrics import DIVERGED_LOSS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def diverges_above_half(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    yield {"val_loss": config["x"]}, None
    yield {"val_loss": math.nan if config["x"] > 0.5 else config["x"]}, None


@pytest.mark.parametrize("algo", ["random", "optuna", "hyperopt"])
def test_a_loss_that_is_nan_is_recorded_as_diverged(
    cluster: Cluster, folder: Path, algo: str
) -> None:
    summary = study(cluster, folder, diverges_above_half, algo=algo, trials=10)
    trials = load_journal(RunFiles(folder).journal)
    assert len(trials) == 10
    assert not summary.failed
    for trial in trials:
        assert all(math.isfinite(value) for value in trial.curve.values())
        assert trial.diverged == (trial.config["x"] > 0.5)  # type: ignore[operator]
        if trial.diverged:
            assert trial.value == DIVERGED_LOSS
            assert trial.state is State.PRUNED
    assert any(trial.diverged for trial in trials)
    assert summary.best is not None
    assert not summary.best.diverged


def raises_above_half(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    if config["x"] > 0.5:
        raise RuntimeError(f"no luck with {config['x']}")
    yield {"val_loss": config["x"]}, None


def test_a_trial_that_raises_is_recorded_and_the_others_go_on(
    cluster: Cluster, folder: Path
) -> None:
    summary = study(cluster, folder, raises_above_half, seed=1)
    assert len(summary.trials) == 6
    assert 0 < len(summary.failed) < 6
    for trial in load_journal(RunFiles(folder).journal):
        failed = trial.config["x"] > 0.5  # type: ignore[operator]
        assert (trial.state is State.FAIL) == failed
        assert ("no luck with" in trial.error) == failed


def always_raises(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    raise RuntimeError("broken")


def test_a_trainable_that_only_raises_ends_the_study(cluster: Cluster, folder: Path) -> None:
    summary = study(cluster, folder, always_raises, trials=40)
    assert summary.best is None
    assert summary.ended_by == "failures"
    assert len(summary.trials) < 10


def forgets_its_metric(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    yield {"loss": 1.0}, None


def test_a_metric_that_is_not_reported_is_named(cluster: Cluster, folder: Path) -> None:
    summary = study(cluster, folder, forgets_its_metric, trials=1)
    assert "val_loss" in summary.failed[0].error
    assert "it yields loss" in summary.failed[0].error


def looks_at_its_data(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    """Counts its rows, and how many of them belong to the test split."""
    found = {row.tobytes() for x in (data.x_train, data.x_val) for row in x}
    hidden = {row.tobytes() for row in load_test("breast_cancer", seed=5).x}
    yield (
        {
            "val_loss": 1.0,
            "arrays": sum(isinstance(value, np.ndarray) for value in vars(data).values()),
            "rows": len(found),
            "hidden": len(hidden),
            "test_rows": len(found & hidden),
            "process": os.getpid(),
        },
        None,
    )


def test_trials_get_no_test_rows_and_share_processes(cluster: Cluster, folder: Path) -> None:
    settings = {"data": "breast_cancer", "seed": 5, "metric": "val_loss", "algo": "random"}
    more = {"scheduler": "none", "name": folder.name, "runs_dir": folder.parent, "trials": 12}
    spec = spec_of(**settings, **more)
    asked = prepare(spec, trainable=looks_at_its_data, space=SPACE)
    trials = run_study(asked, cluster, Witness()).trials
    assert len(trials) == 12
    assert {trial.metrics["arrays"] for trial in trials} == {4}  # train and validation only
    assert {trial.metrics["rows"] for trial in trials} == {455}
    assert {trial.metrics["hidden"] for trial in trials} == {114}
    assert {trial.metrics["test_rows"] for trial in trials} == {0}
    assert len({trial.metrics["process"] for trial in trials}) <= 3


def waits_for(n: int, started: Path) -> Any:
    """A trainable that waits until this many trials have started."""

    def trainable(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
        (started / str(config["x"])).touch()
        end = time.monotonic() + 120
        while len(list(started.iterdir())) < n:
            assert time.monotonic() < end
            time.sleep(0.1)
        yield {"val_loss": config["x"]}, None

    return trainable


@pytest.mark.slow
def test_four_quarters_of_a_gpu_run_at_once(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    witness, started = Witness(), tmp_path / "started"
    started.mkdir()
    study(
        cluster,
        folder,
        waits_for(4, started),
        witness,
        trials=8,
        cpus_per_trial=0.25,
        gpus_per_trial=0.25,
    )
    assert max(progress.running for progress in witness.shown) == 4
    assert witness.shown[-1].finished == 8


def ends_early(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    yield {"val_loss": config["x"]}, None
    yield {"val_loss": config["x"] / 2}, None


def test_a_trial_that_was_stopped_is_trained_no_further_where_no_other_follows(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "epochs"

    def gets_worse(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
        for epoch in range(1, 10):
            with trained.open("a") as file:
                file.write(f"{epoch}\n")
            yield {"val_loss": float(len(trained.read_text()))}, None

    trials = study(
        cluster, folder, gets_worse, scheduler="asha", trials=3, max_epochs=9, max_concurrent=1
    ).trials
    assert [t.epochs for t in trials][-1] == 1
    assert trials[-1].stopped_by == "scheduler"
    assert len(trained.read_text().splitlines()) == sum(trial.epochs for trial in trials)


def test_a_trainable_may_end_before_its_last_epoch(cluster: Cluster, folder: Path) -> None:
    witness = Witness()
    trials = study(cluster, folder, ends_early, witness, max_epochs=9).trials
    assert {(t.state, t.epochs, t.best_epoch) for t in trials} == {(State.COMPLETE, 2, 2)}
    assert witness.bests == sorted(witness.bests, reverse=True)
    assert witness.bests[-1] == min(t.value or math.inf for t in trials)


def diverges_after_a_good_epoch(config: dict[str, Any], data: TrialData, **_: Any) -> Iterator[Any]:
    """A smaller x is better, but the smallest diverge in their third epoch."""
    model = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(model.weight, config["x"])
    yield {"val_loss": config["x"]}, model
    yield {"val_loss": config["x"] + 1}, model
    yield {"val_loss": math.inf if config["x"] < 0.3 else config["x"] + 2}, model


def test_the_weights_kept_are_those_of_the_best_sound_trial(cluster: Cluster, folder: Path) -> None:
    witness = Witness()
    summary = study(cluster, folder, diverges_after_a_good_epoch, witness, trials=12)
    assert summary.diverged
    assert summary.best is not None
    x = summary.best.config["x"]
    assert x == min(t.config["x"] for t in summary.trials if not t.diverged)
    weights = torch.load(folder / "best.pt", weights_only=True)
    assert weights["weight"].item() == pytest.approx(x)
    assert witness.shown[-1].best == x
