"""The memory that an optimiser step needs, and whether one has failed for lack of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

# What CUDA's allocator and its libraries say, and what the CPU's does where the machine refuses.
_OUT_OF_MEMORY = (
    *("out of memory", "status_alloc_failed"),
    *("can't allocate memory", "not enough memory"),
)


def step_memory(
    step: Callable[[], object],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> int:
    """Bytes that ``step``, one forward and backward pass and step of ``optimizer``, needs.

    On a GPU it is the peak of all that torch holds there, the data included. On the CPU it is
    counted: parameters, buffers, gradients, the optimiser's state, what the forward pass saves for
    the backward pass, and the gradient of the largest tensor of these last. That is the same in
    every process, where the resident memory of one depends on what ran in it before. For batches of
    256 and more it is 0.8 to 1.1 times the peak that torch's profiler sees; for small ones less,
    as the working memory of single operations is not in it.
    """
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        step()
        return torch.cuda.max_memory_allocated(device)
    weights = _storages([*model.parameters(), *model.buffers()])
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        saved.update(_storages([tensor]))
        # Not the tensor itself: an output that refers to its own operation would keep itself alive.
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        step()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    states = [
        value
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    ]
    # Added up apart: what was saved is gone by now, and its addresses may have been given away.
    kept = {**weights, **_storages([*gradients, *states])}
    activations = [size for address, size in saved.items() if address not in weights]
    return sum(kept.values()) + sum(activations) + max(activations, default=0)


def default_bound(device: torch.device) -> float | None:
    """Bytes: half of the machine's on the CPU, as nothing there says in time that there is no more;
    None on a GPU, which does."""
    if device.type == "cuda":
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2


def is_out_of_memory(error: Exception) -> bool:
    """Whether a step failed because it needs more memory than there is."""
    import torch

    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def _storages(tensors: Iterable[Tensor]) -> dict[int, int]:
    """Address and bytes of what lies behind the tensors: several may be views of one."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return {storage.data_ptr(): storage.nbytes() for storage in storages}
