"""``--gpus-per-trial auto``: what it measures on a declared GPU, and which share it chooses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines import run
from pipelines.cli.command import main
from pipelines.cluster import measured_share
from pipelines.cluster.machines import Cluster
from pipelines.cluster.measured_share import ShareRow, best_row
from pipelines.cluster.resources import Node, check_has_gpu
from pipelines.study.beforehand import auto_share
from pipelines.study.beforehand.auto_share import with_measured_share
from pipelines.study.beforehand.largest import largest_configs
from pipelines.study.resume.resuming import resume
from pipelines.study.runs import open_run
from search_spaces import SPACES, Config, SearchSpace
from tests.pipelines.recorded import write_run
from trainables.data.datasets import TrialData, load
from trainables.networks import NETWORKS
from trainables.smith.batch_size import run_batch_size_test
from trainables.training.workload import Workload, footprint

CPU = torch.device("cpu")
SMALL: Config = {"n_layers": 1, "width_1": 16, "lr": 0.05, "batch_size": 32}


@pytest.fixture(scope="module")
def digits() -> TrialData:
    return load("digits")


@pytest.mark.parametrize("model", SPACES)
def test_the_largest_configs_are_larger_than_any_that_is_drawn(
    digits: TrialData, model: str
) -> None:
    space, network = SPACES[model], NETWORKS[model]
    largest = largest_configs(space, network, digits, n=2, seed=0)
    assert all(space.contains(config) for config in largest)
    sizes = [footprint(network, config, digits) for config in largest]
    assert sizes == sorted(sizes, reverse=True)
    rng = np.random.default_rng(1)
    assert sizes[0] >= max(footprint(network, space.sample(rng), digits) for _ in range(50))


def test_forbidden_configs_are_not_measured(digits: TrialData) -> None:
    mlp = NETWORKS["mlp"]
    space = replace(SPACES["mlp"], forbid=lambda c: mlp.size(c, digits) > 10_000)
    for config in largest_configs(space, mlp, digits, n=3, seed=0):
        assert mlp.size(config, digits) <= 10_000
    with pytest.raises(ValueError, match="auto`: the space forbids every config"):
        largest_configs(SearchSpace(space.domains, forbid=lambda c: True), mlp, digits, n=1, seed=0)


def test_a_footprint_grows_with_all_that_takes_memory(digits: TrialData) -> None:
    mlp = NETWORKS["mlp"]
    small = footprint(mlp, SMALL, digits)
    for change in ({"width_1": 64}, {"batch_size": 256}, {"optimizer": "adamw"}):
        assert footprint(mlp, {**SMALL, **change}, digits) > small


def test_a_workload_takes_what_its_folds_take_together(digits: TrialData) -> None:
    mlp = NETWORKS["mlp"]
    one = Workload(mlp, SMALL, [digits], seed=0, device=CPU)
    two = Workload(mlp, SMALL, [digits, digits], seed=0, device=CPU)
    assert two.memory() == 2 * one.memory()
    test = run_batch_size_test(mlp, SMALL, digits, seed=0, device=CPU)
    assert one.memory() == next(row.memory for row in test.rows if row.batch_size == 32)
    assert one.epoch_seconds(0.0) > 0


def test_the_share_with_most_trials_an_hour_is_taken() -> None:
    rows = [ShareRow(1, 10, 100.0), ShareRow(2, 10, 180.0), ShareRow(4, 10, 170.0)]
    assert best_row(rows).k == 2
    assert best_row([*rows, ShareRow(8, problem="out of memory")]).share == 0.5
    assert best_row([ShareRow(1, 10, 100.0), ShareRow(2, 10, 100.0)]).k == 1
    with pytest.raises(ValueError, match=r"auto` found no share .*: 1: out of memory"):
        best_row([ShareRow(1, problem="out of memory")])


def test_a_cluster_without_a_gpu_is_refused() -> None:
    check_has_gpu([Node("a", 4, 0), Node("b", 4, 1)], cpus=4)
    message = "auto` needs a node with a GPU and 4 CPUs, and there is none: a has 8 CPUs and 0 GPUs"
    with pytest.raises(ValueError, match=message):
        check_has_gpu([Node("a", 8, 0), Node("b", 2, 1)], cpus=4)


@pytest.mark.usefixtures("elsewhere")
def test_a_search_takes_the_share_that_was_measured(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measured_share, "SHARES", (2, 4))
    monkeypatch.setattr(measured_share, "_SECONDS", 0.1)
    options = ["--trials", "2", "--max-epochs", "2", "--name", "it", "--fix", "n_layers=1"]
    assert main(run.app, [*options, "--gpus-per-trial", "auto"]) == 0
    shown = capsys.readouterr().out
    assert "needs 4 CPUs on a node with a GPU" in shown
    assert "share     1/2 of a GPU for each trial" in shown
    assert "1 CPU and 0.5 GPU a trial" in shown
    assert open_run("runs/it").spec.resources.gpus_per_trial == 0.5
    assert len(open_run("runs/it").finished) == 2


def test_a_search_that_goes_on_records_the_share_that_was_measured(
    digits: TrialData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "it", fingerprint=digits.fingerprint)
    spec = open_run(run).spec.but(resources={"gpus_per_trial": "auto"}, budget={"trials": 50})
    monkeypatch.setattr(Cluster, "nodes", lambda _: [Node("here", 4, 1)])
    monkeypatch.setattr(auto_share, "measure_shares", lambda *_, **__: [ShareRow(2, 10, 100.0)])
    cluster = Cluster("", started_here=True)
    study = with_measured_share(resume(run, spec), cluster, say=lambda line: None)
    assert study.spec.resources.gpus_per_trial == 0.5
    assert study.resumed is not None
    assert study.resumed.changes == {"budget": {"trials": 50}, "resources": {"gpus_per_trial": 0.5}}


@pytest.mark.usefixtures("elsewhere")
def test_the_share_of_an_own_trainable_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--trainable", "own:train", "--space", "own:SPACE", "--gpus-per-trial", "auto"]
    assert main(run.app, options) == 2
    shown = capsys.readouterr().err
    assert shown == "error: --gpus-per-trial auto is only for a --model, not for own:train\n"


@pytest.mark.usefixtures("elsewhere")
def test_there_is_nothing_to_measure_on_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert main(run.app, ["--gpus-per-trial", "auto", "--address", "local"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "this machine has" in shown
    assert "0 GPUs; use 0 to search without a GPU" in shown
    assert not Path("runs").exists()
