"""The share of a machine that a training takes. A few functions stand in for CUDA; tests with real
CUDA are in tests/gpu."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from trainables.device import gpu, mps
from trainables.device.share import claim_device, pick_device, set_threads

TOTAL = 16 * 2**30
PERCENTAGE = "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PERCENTAGE, "")


@pytest.fixture
def fractions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str]]:
    """The memory fractions that torch is given, each with MPS's percentage at that time."""
    told: list[tuple[float, str]] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=TOTAL)
    )
    monkeypatch.setattr(
        torch.cuda,
        "set_per_process_memory_fraction",
        lambda fraction: told.append((fraction, os.environ[PERCENTAGE])),
    )
    return told


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("cpus", "threads"), [(0.25, 1), (1, 1), (2, 2), (3.9, 3)])
def test_threads_are_the_whole_cpus(cpus: float, threads: int) -> None:
    set_threads(cpus)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("gpus", [0.0, 0.25, 2.0])
def test_without_cuda_every_share_is_the_cpu(gpus: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert claim_device(gpus) == pick_device(gpus) == torch.device("cpu")


@pytest.mark.parametrize("k", [2, 3, 4, 8])
def test_k_fences_and_their_contexts_fit_on_a_gpu(
    k: int, fractions: list[tuple[float, str]]
) -> None:
    assert claim_device(1 / k) == torch.device("cuda")
    (fraction, percentage) = fractions[0]
    assert k * (fraction * TOTAL + gpu.CONTEXT) == pytest.approx(TOTAL, abs=k)
    assert percentage == str(100 // k)


def test_twice_the_share_is_another_fence(fractions: list[tuple[float, str]]) -> None:
    claim_device(0.25)
    claim_device(0.5)
    assert [round(fraction * TOTAL) + gpu.CONTEXT for fraction, _ in fractions] == [
        TOTAL // 4,
        TOTAL // 2,
    ]


@pytest.mark.parametrize("gpus", [1.0, 2.0])
def test_a_whole_gpu_has_no_fence(gpus: float, fractions: list[tuple[float, str]]) -> None:
    claim_device(gpus)
    assert fractions == [(1.0, "100")]


def test_a_cpu_trial_asks_nothing_of_a_gpu(fractions: list[tuple[float, str]]) -> None:
    assert claim_device(0) == torch.device("cpu")
    assert not fractions
    assert os.environ[PERCENTAGE] == ""


def test_a_share_that_cuda_alone_fills_is_refused() -> None:
    message = "^0.03125 of a GPU with 17.2 GB leaves no memory besides the 1.07 GB that CUDA itself"
    with pytest.raises(ValueError, match=message):
        gpu.share_bytes(1 / 32, TOTAL)


def test_without_cuda_there_is_nothing_to_release() -> None:
    assert not torch.cuda.is_initialized()
    assert gpu.release() == 0


@pytest.mark.parametrize(
    ("held", "released"), [(0, 0), (gpu.WORKSPACES, 0), (2**30, 2**30)], ids=str
)
def test_what_is_held_is_told(held: int, released: int, monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: held)
    assert gpu.release() == released
    assert len(emptied) == (2 if released else 1)


def test_mps_runs_where_the_process_of_its_daemon_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    assert not mps.is_running()
    note = tmp_path / "nvidia-cuda-mps-control.pid"
    note.write_text(f"{os.getpid()}\n")
    assert mps.is_running()
    note.write_text(str(2**22 + 1))  # above the largest possible number
    assert not mps.is_running()
    note.write_text("")
    assert not mps.is_running()


def test_a_gpu_is_used_where_it_is_granted_and_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (pick_device(0.25).type, pick_device(0).type) == ("cuda", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device(1).type == "cpu"
