"""The share of the machine that one training uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.device import gpu, mps

if TYPE_CHECKING:
    import torch


def set_threads(n_cpus: float) -> None:
    """Limits torch, and the BLAS of other imported libraries, to ``n_cpus`` threads in this
    process. The number is rounded down, but is at least one."""
    import torch
    from threadpoolctl import threadpool_limits

    n_threads = max(1, int(n_cpus))
    torch.set_num_threads(n_threads)
    threadpool_limits(n_threads, user_api="blas")


def pick_device(gpus: float) -> torch.device:
    """The GPU if a share of one is granted and CUDA works; otherwise the CPU."""
    import torch

    return torch.device("cuda" if gpus > 0 and torch.cuda.is_available() else "cpu")


def claim_device(gpus: float) -> torch.device:
    """The device of :func:`pick_device`. On a GPU, this process is limited to its share.

    A second call with another share changes the limit of the memory, but the limit of the
    processors stays that of the first call. Raises ``ValueError`` for a share that leaves no memory
    for a training.
    """
    if gpus > 0:
        mps.limit_processors(gpus)  # first, because pick_device() starts CUDA
    device = pick_device(gpus)
    if device.type == "cuda":
        gpu.fence(gpus)
    return device
