"""The workers that Kubernetes may add. deploy/raycluster.yaml tells the head's pod about them,
because there is no YAML file of `ray up` there."""

from __future__ import annotations

import json
import os

from pipelines.cluster.address import ClusterError
from pipelines.cluster.resources import Node

WORKERS = "RANGEFINDER_WORKERS"
_EXAMPLE = '[{"group": "gpu", "cpus": 4, "gpus": 1, "most": 8}]'


def workers_at_most() -> list[Node]:
    """All workers that the groups in ``RANGEFINDER_WORKERS`` allow; none if it is not set.

    Raises ``ClusterError`` if it cannot be read.
    """
    text = os.environ.get(WORKERS, "")
    if not text.strip():
        return []
    try:
        groups = [
            (str(group["group"]), float(group["cpus"]), float(group["gpus"]), group["most"])
            for group in json.loads(text)
        ]
        if any(min(cpus, gpus, most) < 0 for _, cpus, gpus, most in groups):
            raise ValueError
        return [Node(name, cpus, gpus) for name, cpus, gpus, most in groups for _ in range(most)]
    except (ValueError, TypeError, KeyError):
        raise ClusterError(f"{WORKERS} is {text!r}, not a list such as {_EXAMPLE}") from None
