"""The MLP behind a gate: while it is closed, epochs are slow, so a test has time to act."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from search_spaces import SPACES
from trainables.networks import NETWORKS

SHARED = Path("/mnt/shared")  # all hosts share this folder
GATE = 5  # the first epoch that is slow
SPACE = SPACES["mlp"]


class Gated(Iterator[Any]):
    """A training whose epochs are slow until the test makes the file ``go``. While an epoch trains,
    there is a file with the host's address."""

    def __init__(self, training: Any) -> None:
        self._training = training
        self._epoch = 0

    def __next__(self) -> Any:
        self._epoch += 1
        if self._epoch >= GATE and not (SHARED / "go").exists():
            (SHARED / f"training-{ray.util.get_node_ip_address()}").touch()
            time.sleep(2)
        return next(self._training)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self._epoch, "training": self._training.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._epoch = state["epoch"]
        self._training.load_state_dict(state["training"])


def train(config: dict[str, Any], data: Any, **settings: Any) -> Gated:
    """A trainable for ``--trainable gated:train --space gated:SPACE``."""
    return Gated(NETWORKS["mlp"](config, data, **settings))
