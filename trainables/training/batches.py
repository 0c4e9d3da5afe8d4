"""Data on the device, and the bounds of the batches."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # code that draws a schedule needs only the bounds, not torch
    import torch
    from torch import Tensor, nn

EVALUATION_BATCH = 512  # limits the memory of the activations, and is large enough to be fast


def batch_bounds(n_samples: int, batch_size: int) -> list[tuple[int, int]]:
    """Where each batch of an epoch starts and ends in the epoch's order.

    The last batch may be smaller, but a single sample is left out: batch normalisation has no
    variance for it.
    """
    bounds = [
        (start, min(start + batch_size, n_samples)) for start in range(0, n_samples, batch_size)
    ]
    start, end = bounds[-1]
    return bounds[:-1] if end - start == 1 < batch_size and len(bounds) > 1 else bounds


def to_tensor(array: np.ndarray, device: torch.device) -> Tensor:
    """``array`` on ``device``. On the CPU the tensor shares its memory, which may be read-only."""
    import torch

    with warnings.catch_warnings():
        # Nothing writes to it: batches are copies.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)


def outputs_of(network: nn.Module, inputs: np.ndarray) -> Tensor:
    """The outputs (n, n_outputs) of ``network`` for ``inputs`` (n, ...), computed in batches."""
    import torch

    with torch.no_grad():
        first, *others = torch.split(torch.from_numpy(inputs), EVALUATION_BATCH)
        found: Tensor = network(first)
        if not others:
            return found
        # One tensor for all: if each batch left a small one between its freed activations, the next
        # batch could not use their memory again, and a million rows would take 2 GB more.
        outputs = found.new_empty((len(inputs), *found.shape[1:]))
        place, *places = torch.split(outputs, EVALUATION_BATCH)
        place.copy_(found)
        for batch, place in zip(others, places, strict=True):
            place.copy_(network(batch))
        return outputs
