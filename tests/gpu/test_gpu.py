"""Shares of a real GPU hold. On a machine with a GPU: ``python -m pytest -m gpu -rs tests/gpu``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines import run
from pipelines.cli.command import main
from pipelines.cluster.machines import Cluster
from pipelines.record.trials import State
from pipelines.study.runs import open_run
from pipelines.tuner.attempts import Cause
from tests.gpu.processes import (
    BLOCK,
    alone,
    beside_the_allocator,
    fill,
    fill_twice,
    processors,
    together,
)
from tests.pipelines.running import Witness, study
from trainables.data.datasets import TrialData
from trainables.device import gpu, mps

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that CUDA works on"),
]
K = 4
RUN = [sys.executable, str(Path(run.__file__))]


@pytest.fixture(scope="module")
def total() -> int:
    return int(torch.cuda.get_device_properties(0).total_memory)


def is_full(taken: int, share: float, total: int) -> bool:
    """Whether the memory taken is what the fence allows, to within one block."""
    return 0 <= gpu.share_bytes(share, total) - taken < BLOCK


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_a_fence_lets_through_its_share_and_no_more(share: float, total: int) -> None:
    assert is_full(alone(fill, share), share, total)


def test_twice_the_share_in_the_same_process_is_twice_the_memory(total: int) -> None:
    first, second = alone(fill_twice, 1 / (2 * K), 1 / K)
    assert is_full(first, 1 / (2 * K), total)
    assert is_full(second, 1 / K, total)


def test_k_processes_fill_the_gpu_and_none_takes_what_is_anothers(total: int) -> None:
    assert together(K, fill, 1 / K) == [alone(fill, 1 / K)] * K


def test_cuda_takes_no_more_than_is_set_aside_for_it() -> None:
    free, total = torch.cuda.mem_get_info()
    taken = alone(beside_the_allocator) - (total - free)
    print(f"CUDA takes {taken / 2**20:.0f} MiB a process; {gpu.CONTEXT / 2**20:.0f} are set aside")
    assert 0 < taken <= gpu.CONTEXT


@pytest.mark.skipif(not mps.is_running(), reason="MPS does not run: nvidia-cuda-mps-control -d")
def test_a_share_has_its_part_of_the_processors() -> None:
    whole = alone(processors, 1.0)
    part = alone(processors, 1 / K)
    assert part <= whole / K + 2  # multiprocessors come in pairs


def allocates(config: dict[str, Any], data: TrialData, *, device: torch.device, **_: Any) -> Any:
    held = torch.cuda.memory_reserved()
    block = torch.zeros(2**30, dtype=torch.uint8, device=device)
    yield {"val_loss": config["x"] + block[0].item(), "held": held, "process": os.getpid()}, None


def test_a_process_has_given_back_the_memory_of_its_trials(
    cluster: Cluster, tmp_path: Path
) -> None:
    trials = study(
        cluster, tmp_path / "run", allocates, trials=4, gpus_per_trial=0.5, max_concurrent=1
    ).trials
    assert {t.state for t in trials} == {State.COMPLETE}
    assert len({t.metrics["process"] for t in trials}) == 1
    assert max(t.metrics["held"] for t in trials) <= gpu.WORKSPACES


def leaks(config: dict[str, Any], data: TrialData, *, device: torch.device, **_: Any) -> Any:
    kept = torch.zeros(2**30, dtype=torch.uint8, device=device)
    torch.leaked = kept  # type: ignore[attr-defined]
    yield {"val_loss": config["x"], "process": os.getpid()}, None


def test_a_process_that_cannot_give_memory_back_ends(cluster: Cluster, tmp_path: Path) -> None:
    witness = Witness()
    trials = study(
        cluster, tmp_path / "run", leaks, witness, trials=3, gpus_per_trial=0.5, max_concurrent=1
    ).trials
    assert len({t.metrics["process"] for t in trials}) == 3
    assert {cause for cause, _ in witness.again} == {Cause.MEMORY_HELD}


def needs_more_than_a_quarter(
    config: dict[str, Any], data: TrialData, *, device: torch.device, **_: Any
) -> Iterator[Any]:
    """Needs more than a quarter of the GPU if x is above 0.5. The others go on computing."""
    whole = torch.cuda.get_device_properties(device).total_memory
    size = int(whole * 0.3) if config["x"] > 0.5 else 2**20
    block = torch.zeros(size, dtype=torch.uint8, device=device)
    for _epoch in range(3):
        yield {"val_loss": config["x"] + block.max().item()}, None


def test_a_trial_out_of_memory_is_tried_again_and_its_neighbours_go_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    witness, folder = Witness(), tmp_path / "run"
    study(
        cluster,
        folder,
        needs_more_than_a_quarter,
        witness,
        trials=8,
        seed=1,
        cpus_per_trial=0.25,
        gpus_per_trial=0.25,
    )
    trials = open_run(folder).finished
    assert {t.state for t in trials} == {State.COMPLETE}
    assert {(t.gpus, float(t.config["x"]) > 0.5) for t in trials} == {(0.25, False), (0.5, True)}
    assert {cause for cause, _ in witness.again} == {Cause.OUT_OF_MEMORY}


def test_a_command_that_starts_ray_itself_shares_the_gpu(elsewhere: Path) -> None:
    options = "--model cnn --trials 8 --max-epochs 2 --address local --name it --no-baseline"
    subprocess.run([*RUN, *options.split(), "--gpus-per-trial", "1/4"], check=True)
    trials = open_run("runs/it").finished
    assert len(trials) == 8
    assert {t.gpus for t in trials} == {0.25}
    assert not any(t.state is State.FAIL for t in trials)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_auto_takes_a_share_that_was_measured(cluster: Cluster, model: str) -> None:
    options = ["--trials", "4", "--max-epochs", "2", "--name", "it", "--model", model]
    shares = ["--gpus-per-trial", "auto", "--cpus-per-trial", "0.25"]
    assert main(run.app, [*options, *shares]) == 0
    assert open_run("runs/it").spec.resources.gpus_per_trial in (1.0, 0.5, 0.25, 0.125)
    trials = open_run("runs/it").finished
    assert len(trials) == 4
    assert not any(t.state is State.FAIL for t in trials)
