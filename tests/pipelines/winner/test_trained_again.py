"""Final trainings on the cluster: their share of a GPU, their data, and how they fail."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
import ray
import torch

from pipelines import evaluate, export
from pipelines.cli.command import main
from pipelines.cluster.machines import Cluster
from pipelines.cluster.sharing import no_cuda_on
from pipelines.record.trials import FinishedTrial, State
from pipelines.study.runs import Run, open_run
from pipelines.winner.candidates import winner
from pipelines.winner.trained import trained_alone
from pipelines.winner.training import all_but_test, train_again, training_of
from search_spaces import Float, SearchSpace
from tests.pipelines.recorded import write_run
from trainables.data.datasets import load

pytestmark = pytest.mark.usefixtures("elsewhere")

SHARE = """
import torch
from ray import get_runtime_context

def train(config, data, **more):
    model = torch.nn.Linear(1, 1)
    share = get_runtime_context().get_assigned_resources().get("GPU", 0.0)
    torch.nn.init.constant_(model.weight, share)
    yield {"val_loss": 0.1}, model
"""
PROCESS = """
import os
import torch

def train(config, data, **more):
    model = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(model.weight, os.getpid())
    yield {"val_loss": 0.1}, model
"""
CHANGES = """
import torch

def train(config, data, **more):
    x = torch.from_numpy(data.x_train)
    model = torch.nn.Linear(1, 1)  # drawn without a word
    torch.nn.init.constant_(model.bias, x.abs().sum().item())
    x.mul_(0.5)
    yield {"val_loss": 0.1}, model
"""
DIVERGES = """
import torch

def train(config, data, *, seed, **more):
    yield {"val_loss": 0.1 if seed % 2 else float("nan")}, torch.nn.Linear(1, 1)
"""
RAISES = """
def train(config, data, **more):
    yield {"val_loss": 0.1}, config["y"]
"""
ONE_RAISES = """
import time

def train(config, data, *, seed, **more):
    if seed != 1:
        time.sleep(60)
    yield {"val_loss": 0.1}, config["y"]
"""
DIES = """
import os

def train(config, data, **more):
    os._exit(1)
"""


def searched(monkeypatch: pytest.MonkeyPatch, code: str, gpus: float = 0.0, **more: Any) -> Run:
    """A run of a user's function, with a trial that had this many GPUs."""
    monkeypatch.syspath_prepend(Path.cwd())
    Path("own_again.py").write_text(code)
    monkeypatch.delitem(sys.modules, "own_again", raising=False)
    trial = FinishedTrial("a", {"x": 0.5}, State.COMPLETE, {1: 0.1}, 0.1, 1, gpus=gpus)
    folder = write_run(
        Path("runs/it"),
        [trial],
        space=SearchSpace({"x": Float(0.0, 1.0)}),
        data="wine",
        fingerprint=load("wine").fingerprint,
        metric="val_loss",
        trainable="own_again:train",
        max_epochs=1,
        **more,
    )
    return open_run(folder)


@pytest.mark.parametrize(
    ("asked", "had", "given"),
    [(0.25, 0.5, 0.5), (0.25, 0.0, 0.25), (0.25, 2.0, 1.0), (0.0, 0.5, 0.0), (1.0, 2.0, 1.0)],
)
def test_a_trial_that_had_more_of_a_gpu_than_was_asked_for_has_it_again(
    monkeypatch: pytest.MonkeyPatch, asked: float, had: float, given: float
) -> None:
    run = searched(monkeypatch, SHARE, had, gpus_per_trial=asked)
    assert training_of(run, winner(run), seed=1).gpus == given


def test_ray_reserves_it(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    run = searched(monkeypatch, SHARE, 0.5, gpus_per_trial=0.25)
    found: Any = train_again(run, all_but_test(run), [winner(run)], seeds=(1,))
    assert found.networks[1][0].weight.item() == 0.5


def test_on_gpus_every_training_has_a_process_of_its_own(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = searched(monkeypatch, PROCESS, gpus_per_trial=1)
    found: Any = train_again(run, all_but_test(run), [winner(run)], seeds=(1, 2))
    one, two = (network.weight.item() for (network,) in found.networks.values())
    assert one != two


def test_that_it_trains_on_the_cpu_of_a_machine_with_a_gpu_is_said_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "" if torch.cuda.is_available() else f"warning   {no_cuda_on('this machine')}\n"
    run = searched(monkeypatch, CHANGES, gpus_per_trial=1)
    train_again(run, all_but_test(run), [winner(run)], seeds=(1, 2))
    assert capsys.readouterr().err == said
    trained_alone(run, winner(run))
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (RAISES, "KeyError: 'y'"),
        pytest.param(DIES, "died unexpectedly", marks=pytest.mark.slow),
    ],
    ids=["it raises", "its process dies"],
)
def test_a_training_that_fails_is_one_line(
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: str,
    why: str,
) -> None:
    folder = str(searched(monkeypatch, code).files.folder)
    for app, arguments in ((evaluate.app, [folder]), (export.app, [folder, "model"])):
        assert main(app, [*arguments, "--seeds", "1"]) == 2
        told = capsys.readouterr().err
        assert told.startswith("error: trial 0 with seed 1 cannot be trained again: ")
        assert why in told
        assert told.count("\n") == 1


def test_where_one_fails_the_others_end(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    run = searched(monkeypatch, ONE_RAISES)
    with pytest.raises(ValueError, match="with seed 1 cannot be trained again"):
        train_again(run, all_but_test(run), [winner(run)], range(1, 7))
    deadline = time.monotonic() + 30
    while ray.available_resources().get("CPU") != ray.cluster_resources()["CPU"]:
        assert time.monotonic() < deadline, "they go on"
        time.sleep(0.1)


def test_a_function_of_the_users_has_data_of_its_own_and_its_seed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = searched(monkeypatch, CHANGES)
    first, again = (
        train_again(run, all_but_test(run), [winner(run)], seeds).networks
        for seeds in ((1, 2), (1,))
    )
    models: list[Any] = [first[1][0], first[2][0], again[1][0]]
    assert len({model.bias.item() for model in models}) == 1
    one, two, one_again = (model.weight.item() for model in models)
    assert one == one_again != two


def test_a_metric_that_is_not_finite_leaves_a_seed_out(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = searched(monkeypatch, DIVERGES)
    found = train_again(run, all_but_test(run), [winner(run)], seeds=(1, 2))
    assert (found.seeds, found.diverged) == ((1,), (2,))
