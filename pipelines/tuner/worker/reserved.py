"""What Ray reserves for a trial. Ray sends this function to the processes of trials, so this module
imports little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray import tune

from pipelines.tuner.attempts import unpack


def reserved(
    cpus: float, gpus: Callable[[], float], config: dict[str, Any]
) -> tune.PlacementGroupFactory:
    """``cpus`` and the current share of GPUs; an attempt may need a larger share."""
    share = max(gpus(), unpack(config)[1].gpus or 0.0)
    return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": share}])
