"""Processes that share a GPU, each with its own CUDA context."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import torch

from trainables.data.datasets import load
from trainables.device.share import claim_device
from trainables.device.step_memory import is_out_of_memory
from trainables.networks import NETWORKS
from trainables.training.inputs import Inputs
from trainables.training.passes import make_passes
from trainables.training.workload import Workload

T = TypeVar("T")

BLOCK = 64 * 2**20  # bytes that are allocated at a time
LARGE_CNN = {"n_blocks": 4, "channels": 64, "kernel_size": 5, "batch_size": 256, "lr": 0.1}
_SPAWN = multiprocessing.get_context("spawn")


def alone(function: Callable[..., T], *given: Any) -> T:
    """The result of ``function`` in a new process, which has ended afterwards."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
        return pool.submit(function, *given).result()


def together(k: int, function: Callable[..., T], *given: Any) -> list[T]:
    """The results of ``function`` in k processes at once. Its last argument is a barrier, at which
    each of the k processes must wait."""
    with _SPAWN.Manager() as manager, ProcessPoolExecutor(k, mp_context=_SPAWN) as pool:
        barrier = manager.Barrier(k)
        running = [pool.submit(function, *given, barrier) for _ in range(k)]
        return [process.result() for process in running]


def fill(share: float, barrier: Any = None) -> int:
    """The bytes that can be allocated with ``share`` of the GPU. With a barrier, all processes hold
    their memory at the same time, and compute on it."""
    blocks = _fill(claim_device(share))
    if barrier is not None:
        barrier.wait()
        assert blocks[0].add_(1).min().item() == 1  # in place: there is no room for another
        barrier.wait()
    return len(blocks) * BLOCK


def fill_twice(first: float, second: float) -> tuple[int, int]:
    """Bytes with the first share and then, in the same process, with the second."""
    one = len(_fill(claim_device(first))) * BLOCK
    torch.cuda.empty_cache()
    return one, len(_fill(claim_device(second))) * BLOCK


def _fill(device: torch.device) -> list[torch.Tensor]:
    blocks: list[torch.Tensor] = []
    try:
        while True:
            blocks.append(torch.zeros(BLOCK, dtype=torch.uint8, device=device))
    except torch.OutOfMemoryError:
        return blocks


def beside_the_allocator() -> int:
    """The bytes on the GPU of a process that has trained a large CNN, without those of torch's
    allocator. The memory of other processes must not change meanwhile."""
    device = claim_device(0.5)
    training = Workload(NETWORKS["cnn"], LARGE_CNN, [load("digits")], seed=0, device=device)
    training.warm_up()
    free, total = torch.cuda.mem_get_info()
    return total - free - torch.cuda.memory_reserved()


def processors(share: float) -> int:
    """The streaming multiprocessors that CUDA gives a process with ``share`` of the GPU."""
    device = claim_device(share)
    return int(torch.cuda.get_device_properties(device).multi_processor_count)


def needs_more_to_record() -> bool:
    """Whether the error of a graph that does not fit counts as out of memory."""
    device = claim_device(0.05)
    width = 4096  # 64 MiB of weights
    model = torch.nn.Linear(width, width, device=device)
    x = torch.zeros(64, width, device=device)
    passes = make_passes(model, torch.nn.functional.mse_loss, Inputs(x), x, batch_size=len(x))
    batch = torch.arange(len(x), device=device)
    passes.forward(batch)
    passes.backward()
    held = [model.weight.grad, *_fill(device)]  # there is no room for the graph's gradients
    try:
        passes.forward(batch)
    except Exception as error:
        return is_out_of_memory(error)
    finally:
        del held
    return False
