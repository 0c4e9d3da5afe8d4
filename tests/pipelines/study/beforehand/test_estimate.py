"""What a dry run says about time and cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pipelines import run
from pipelines.cli.command import main
from pipelines.cli.plan import estimate_lines
from pipelines.cluster.machines import Cluster
from pipelines.cluster.resources import TrialResources
from pipelines.study.beforehand.estimate import (
    Estimate,
    estimate,
    planned_epochs,
    seconds_of_an_epoch,
)
from pipelines.study.disk import checkpoint_bytes
from pipelines.study.prepare import resolve
from search_spaces import SPACES, Config
from tests.pipelines.running import spec_of
from trainables.data.datasets import load
from trainables.networks import NETWORKS
from trainables.training.steps import Steps

FOUND = Estimate(
    trials=40,
    least_epochs=5,
    most_epochs=30,
    epoch_seconds=6.0,
    at_once=8,
    on_a_node=4,
    where="here on a CPU, 2 at once",
)


def test_time_is_shared_by_the_trials_that_run_at_once() -> None:
    least, most = FOUND.seconds
    assert least == 40 * 5 * 6 / 8
    assert most == pytest.approx((40 * (30 * (6 + 0.015) + 0.1)) / 8 + 6)  # with all around it
    hours = FOUND.node_hours
    assert hours[0] == 40 * 5 * 6 / 4 / 3600
    assert hours[1] == pytest.approx(((40 * (30 * (6 + 0.015) + 0.1)) / 4 + 6) / 3600)


def test_repeats_are_whole_trainings_after_the_search() -> None:
    least, most = replace(FOUND, repeats=25).seconds
    assert least == FOUND.seconds[0] + 25 * 30 * 6 / 8
    assert most == pytest.approx(FOUND.seconds[1] + 25 * (30 * (6 + 0.015) + 0.1) / 8)


@pytest.mark.parametrize(("trials", "repeats", "trainings"), [(8, 5, 25), (3, 5, 15), (8, None, 0)])
def test_the_best_configs_are_repeated(
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    trials: int,
    repeats: int | None,
    trainings: int,
) -> None:
    monkeypatch.setattr(
        "pipelines.study.beforehand.estimate._measure_on_nodes", lambda *_: [(1.0, "CPU")]
    )
    study = resolve(spec_of(trials=trials, repeats=repeats))
    assert estimate(study, cluster, at_once=2).repeats == trainings


def test_only_networks_that_the_search_may_train_are_measured(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Config] = []

    def measure(_: object, configs: list[list[Config]], *__: object) -> list[tuple[float, str]]:
        measured.extend(config for given in configs for config in given)
        return [(1.0, "CPU")]

    monkeypatch.setattr("pipelines.study.beforehand.estimate._measure_on_nodes", measure)
    study = resolve(spec_of(max_parameters=3000))
    estimate(study, cluster, at_once=2)
    sizes = [NETWORKS["mlp"].size(config, study.data) for config in measured]
    assert len(sizes) == 8
    assert max(sizes) <= 3000
    assert 4 * 4 * 1000 < checkpoint_bytes(study) <= 4 * 4 * 3000


def test_time_and_cost_are_ranges() -> None:
    time, cost = estimate_lines(FOUND, node_price=0.5)
    assert "2m30s to 15m09s" in time
    epochs = "5 (stopped early as planned) to 30 epochs of 6 s (measured here on a CPU, 2 at once)"
    assert f"40 trials of {epochs}, 8 at once" in time
    assert "0.0417 to 0.252: 0.0833 to 0.503 hours of a node with 4 trials at once" in cost
    assert "at 0.5 an hour" in cost
    assert list(estimate_lines(FOUND, None)) == [time]


def test_without_early_stopping_all_epochs_are_trained() -> None:
    (time,) = estimate_lines(replace(FOUND, least_epochs=30), None)
    assert "estimate  15m00s to 15m09s: 40 trials of 30 epochs" in time


@pytest.mark.parametrize(
    ("rungs", "epochs"), [((), 9), ((9,), 9), ((3, 9), 3 + 6 / 3), ((1, 3, 9), 1 + 2 / 3 + 6 / 9)]
)
def test_the_epochs_that_a_scheduler_plans(rungs: tuple[int, ...], epochs: float) -> None:
    assert planned_epochs(rungs, 9, 3) == pytest.approx(epochs)


def test_an_epoch_of_all_folds_is_measured_and_threads_stay_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a clock that counts how often something was computed."""
    done: list[object] = []

    def counted(compute: Callable[..., object]) -> Callable[..., None]:
        return lambda *given: done.append(compute(*given))

    monkeypatch.setattr(Steps, "step", counted(Steps.step))
    monkeypatch.setattr(Steps, "predict", counted(Steps.predict))
    clock = SimpleNamespace(perf_counter=lambda: len(done))
    monkeypatch.setattr("trainables.training.workload.time", clock)
    data, threads = load("digits"), torch.get_num_threads()
    configs = SPACES["mlp"].try_first
    one, kind = seconds_of_an_epoch(NETWORKS["mlp"], configs, (data,), TrialResources(1))
    three, _ = seconds_of_an_epoch(NETWORKS["mlp"], configs, (data,) * 3, TrialResources(1))
    assert kind == "CPU"
    assert three == 3 * one > 0
    assert torch.get_num_threads() == threads


def test_slow_steps_are_measured_on_one_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock on which each step takes a minute."""
    steps: list[int] = []
    step = Steps.step

    def counted(self: Steps, batch_size: int) -> None:
        steps.append(batch_size)
        step(self, batch_size)

    monkeypatch.setattr(Steps, "step", counted)
    clock = SimpleNamespace(perf_counter=lambda: 60.0 * len(steps))
    for module in ("pipelines.study.beforehand.estimate", "trainables.training.workload"):
        monkeypatch.setattr(f"{module}.time", clock)
    configs = SPACES["mlp"].try_first
    found, _ = seconds_of_an_epoch(NETWORKS["mlp"], configs, (load("digits"),), TrialResources(1))
    assert len(steps) == 2  # one to warm up, and one that is timed
    assert found > 60


def test_a_dry_run_estimates_and_starts_nothing(
    cluster: Cluster, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run.app, ["--dry-run", "--node-price", "0.5", "--trials", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (time,) = (line for line in lines if line.startswith("estimate"))
    assert "8 trials of 3.04 (stopped early as planned) to 30 epochs" in time
    assert "(measured on nodes of the cluster on a CPU, 2 at once), 2 at once" in time
    assert any(line.startswith("cost") and "at 0.5 an hour" in line for line in lines)
    assert list(elsewhere.iterdir()) == []


def test_a_price_without_a_dry_run_is_refused(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run.app, ["--node-price", "0.5"]) == 2
    assert "--node-price 0.5 is for --dry-run" in capsys.readouterr().err
