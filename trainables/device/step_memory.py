"""The memory that an optimiser step needs, and whether one has failed for lack of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

# Messages of CUDA's allocator and libraries, and of the CPU's allocator if the machine refuses.
_OUT_OF_MEMORY = (
    *("out of memory", "status_alloc_failed", "device_allocation_failed"),
    *("can't allocate memory", "not enough memory"),
)


def step_memory(
    step: Callable[[], object],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> int:
    """The bytes that ``step`` needs: one forward and backward pass and a step of ``optimizer``.

    On a GPU this is the peak of all memory that torch holds there, the data included. On the CPU it
    is a sum: parameters, buffers, gradients, the optimiser's state, the tensors that the forward
    pass saves for the backward pass, and a gradient as large as the largest of these tensors. The
    sum is the same in every process, whereas resident memory depends on what ran in the process
    before. For batches of 256 or more it is 0.8 to 1.1 times the peak that torch's profiler sees.
    For small batches it is less, because it leaves out the working memory of single operations.
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
    # Activations are added separately: they are freed by now, and their addresses may be reused.
    kept = {**weights, **_storages([*gradients, *states])}
    activations = [size for address, size in saved.items() if address not in weights]
    return sum(kept.values()) + sum(activations) + max(activations, default=0)


def default_bound(device: torch.device) -> float | None:
    """The most bytes that a step may need by default.

    On the CPU this is half of the machine's memory, because nothing says in time that the memory is
    full. On a GPU it is None, because CUDA raises an error.
    """
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
    """Address and bytes of the storages of the tensors: several tensors may share one storage."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return {storage.data_ptr(): storage.nbytes() for storage in storages}
