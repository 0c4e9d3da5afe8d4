"""The share of the machine that one training uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.device import gpu, mps

if TYPE_CHECKING:
    import torch


def set_threads(n_cpus: float) -> None:
    """Limits torch and the BLAS of other libraries that are imported to ``n_cpus`` threads in this
    process, rounded down, but one at least."""
    import torch
    from threadpoolctl import threadpool_limits

    n_threads = max(1, int(n_cpus))
    torch.set_num_threads(n_threads)
    threadpool_limits(n_threads, user_api="blas")


def pick_device(gpus: float) -> torch.device:
    """The GPU where any share of one is granted and CUDA works; the CPU otherwise."""
    import torch

    return torch.device("cuda" if gpus > 0 and torch.cuda.is_available() else "cpu")


def claim_device(gpus: float) -> torch.device:
    """What :func:`pick_device` picks; of a GPU, with no more than the share for this process.

    Claimed again, with another share, its part of the memory changes; its part of the processors is
    that of the first time. Raises ``ValueError`` for a share without memory for a training.
    """
    if gpus > 0:
        mps.limit_processors(gpus)  # first: asking for CUDA starts it
    device = pick_device(gpus)
    if device.type == "cuda":
        gpu.fence(gpus)
    return device
