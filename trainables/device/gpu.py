"""How much memory of a GPU one process may take. Code that only works with CUDA is here."""

from __future__ import annotations

import gc
import sys

from trainables.device.byte_sizes import format_bytes

# Bytes that each process takes in addition to torch's allocator: CUDA's context and the kernels of
# its libraries, 834 MiB on an H200. tests/gpu checks that it is not more.
CONTEXT = 1024 * 2**20
# Bytes that the libraries' workspaces may keep while the process lives: 132 MiB on an H200.
WORKSPACES = 256 * 2**20


def fence(share: float) -> None:
    """Limits this process to ``share`` of its GPU's memory, CUDA's context included.

    Beyond the limit torch raises ``torch.OutOfMemoryError``, even if the GPU has free memory. The
    limit holds until the next call. Raises ``ValueError`` if the context leaves nothing of the
    share.
    """
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share_bytes(share, total) / total)


def share_bytes(share: float, total: int) -> int:
    """The bytes that torch may hand out, given a share of a GPU with ``total`` bytes.

    Raises ``ValueError`` if there are none.
    """
    if share >= 1:
        return total  # no other process to protect
    left = int(share * total) - CONTEXT
    if left <= 0:
        raise ValueError(
            f"{share:g} of a GPU with {format_bytes(total)} leaves no memory besides the "
            f"{format_bytes(CONTEXT)} that CUDA itself takes: use a larger share"
        )
    return left


def is_used() -> bool:
    """Whether this process has used CUDA."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def release() -> int:
    """Gives memory that holds no tensor back to the GPU.

    Returns:
        The bytes that this process still holds; 0 if they are no more than the libraries'
        workspaces, or if this process has not used CUDA.
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
