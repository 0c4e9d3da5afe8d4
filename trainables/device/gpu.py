"""The memory of a GPU that one process may take. What only works with CUDA is here."""

from __future__ import annotations

import gc
import sys

from trainables.device.byte_sizes import format_bytes

# Bytes that each process takes beside what torch's allocator hands out: CUDA's context and the
# kernels of its libraries: 834 MiB on an H200. tests/gpu measures that it is no more.
CONTEXT = 1024 * 2**20
# Bytes that the libraries' workspaces may keep while the process lives: 132 MiB on an H200.
WORKSPACES = 256 * 2**20


def fence(share: float) -> None:
    """Lets this process take no more than ``share`` of its GPU's memory, CUDA's context included,
    until it is fenced anew: beyond that ``torch.OutOfMemoryError`` comes, whatever others take.

    Raises ``ValueError`` where the context leaves nothing of the share.
    """
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share_bytes(share, total) / total)


def share_bytes(share: float, total: int) -> int:
    """Bytes of a share of a GPU with ``total`` bytes that torch may hand out.

    Raises ``ValueError`` where that is none.
    """
    if share >= 1:
        return total  # there is nobody to keep off
    left = int(share * total) - CONTEXT
    if left <= 0:
        raise ValueError(
            f"{share:g} of a GPU of {format_bytes(total)} leaves no memory beside the "
            f"{format_bytes(CONTEXT)} that CUDA itself takes: take a larger share"
        )
    return left


def is_used() -> bool:
    """Whether this process has used CUDA."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def release() -> int:
    """Gives memory in which no tensor lies back to the GPU.

    Returns:
        Bytes that this process still holds; 0 where they are no more than libraries' workspaces,
        and where it has not used CUDA.
    """
    if not is_used():
        return 0
    import torch

    torch.cuda.empty_cache()
    if torch.cuda.memory_reserved() > WORKSPACES:
        gc.collect()  # only now: it takes longer than a short trial
        torch.cuda.empty_cache()
    held = torch.cuda.memory_reserved()
    return held if held > WORKSPACES else 0
