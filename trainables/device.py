"""The share of the machine that one training uses."""

from __future__ import annotations

import torch


def set_threads(n_cpus: float) -> None:
    """Limits torch to ``n_cpus`` threads in this process, rounded down, but one at least."""
    torch.set_num_threads(max(1, int(n_cpus)))


def pick_device(gpus: float) -> torch.device:
    """The GPU where any share of one is granted and CUDA works; the CPU otherwise."""
    return torch.device("cuda" if gpus > 0 and torch.cuda.is_available() else "cpu")
