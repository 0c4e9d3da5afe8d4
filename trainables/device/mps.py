"""NVIDIA's MPS: processes that share a GPU compute on it at the same time, and not in turns."""

from __future__ import annotations

import os
from pathlib import Path

_PIPES = "/tmp/nvidia-mps"  # where its control daemon is found, unless the environment says
_PERCENTAGE = "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"


def limit_processors(share: float) -> None:
    """Lets this process compute on so large a part of each GPU's processors where MPS runs.

    CUDA reads this when it starts: later it changes nothing, and neither does it without MPS.
    """
    os.environ[_PERCENTAGE] = str(max(1, int(100 * min(share, 1.0) + 1e-9)))


def is_running() -> bool:
    """Whether MPS's control daemon runs on this machine."""
    pipes = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY") or _PIPES)
    try:
        # The daemon removes it when it ends, but not when it is killed.
        os.kill(int((pipes / "nvidia-cuda-mps-control.pid").read_text()), 0)
    except PermissionError:
        return True  # it is another user's
    except (OSError, ValueError):
        return False
    return True
