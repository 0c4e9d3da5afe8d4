"""NVIDIA's MPS: with it, processes that share a GPU compute at the same time, not in turns."""

from __future__ import annotations

import os
from pathlib import Path

_PIPES = "/tmp/nvidia-mps"  # the folder of its control daemon, unless the environment names another
_PERCENTAGE = "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"


def limit_processors(share: float) -> None:
    """Limits this process to ``share`` of each GPU's processors, if MPS runs.

    CUDA reads the limit when it starts: a later call has no effect. Without MPS there is no limit.
    """
    os.environ[_PERCENTAGE] = str(max(1, int(100 * min(share, 1.0) + 1e-9)))


def is_running() -> bool:
    """Whether MPS's control daemon runs on this machine."""
    pipes = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY") or _PIPES)
    try:
        # The daemon removes this file when it ends, but not when it is killed.
        os.kill(int((pipes / "nvidia-cuda-mps-control.pid").read_text()), 0)
    except PermissionError:
        return True  # the daemon belongs to another user
    except (OSError, ValueError):
        return False
    return True
