"""One training for good, as a process of the cluster runs it: light to import."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from pipelines.cluster.sharing import assigned_gpus
from search_spaces import Config
from trainables.data.datasets import TrialData
from trainables.device.share import claim_device, set_threads

if TYPE_CHECKING:
    from torch import nn

    from pipelines.tuner.trial import Trainable


@dataclass(frozen=True)
class Training:
    """One training: the first ``epochs`` of one that is planned for ``max_epochs``, as in the
    search, so that the learning rate moves as it did there."""

    config: Config
    epochs: int
    max_epochs: int
    seed: int


def train(given: tuple[Trainable, TrialData], training: Training, cpus: float) -> nn.Module | None:
    """The network on the CPU; None where the training diverged."""
    trainable, data = given
    set_threads(cpus)
    epochs = trainable(
        training.config,
        data,
        max_epochs=training.max_epochs,
        seed=training.seed,
        device=claim_device(assigned_gpus()),
    )
    last: nn.Module | None = None
    for metrics, model in islice(epochs, training.epochs):
        if metrics.get("diverged", False):
            return None
        last = model
    if last is None:
        raise ValueError("the trainable yields no model, and it is the model that is wanted")
    return last.cpu().eval()
